"""Table 3: what each part of NPH earns, at 32 and 64 bits.

  python -m experiments.table3_ablation [--config=configs/moving_digits.py]

The cells are those of figure3_map: what one command has done, the other skips.
The table, results/table3_ablation.md, has the paper's numbers beside ours.
"""

from __future__ import annotations

from collections.abc import Sequence

from experiments import command_line, grid, settings
from nph_jax import errors


def main(argv: Sequence[str] | None = None) -> None:
  """Runs what is missing and writes the tables."""
  chosen = command_line.options(
    command_line.parser('The ablations of section 4.2.'), argv
  )
  pairs = grid.pairs(chosen, settings.ABLATIONS, settings.ABLATION_BITS)
  grid.run_all(chosen, lambda dataset, seed: dataset.cells(pairs, seed))


if __name__ == '__main__':
  errors.run_main(main)
