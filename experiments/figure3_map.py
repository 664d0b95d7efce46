"""Figure 3 and Table 3: mAP@K of all methods and code lengths, as tables.

  python -m experiments.figure3_map [--config=configs/moving_digits.py] [--full]

Without --full: settings.MAIN_METHODS at all lengths with all seeds, every other
method at 32 bits with the first seed, and the ablations of Table 3 at
settings.ABLATION_BITS. How long each trains: lengths.
results/DATASET/ holds the cells, results/DATASET.md and table3_ablation.md the
tables.
"""

from __future__ import annotations

from collections.abc import Sequence

from experiments import command_line, grid
from nph_jax import errors


def main(argv: Sequence[str] | None = None) -> None:
  """Runs what is missing and writes the tables."""
  flags = command_line.parser('All methods, code lengths and K.')
  flags.add_argument(
    '--full', action='store_true', help='all methods, lengths, seeds'
  )
  chosen = command_line.options(flags, argv)
  grid.run_all(
    chosen,
    lambda dataset, seed: dataset.cells(
      grid.default_pairs(chosen, seed, chosen.flags.full), seed
    ),
  )


if __name__ == '__main__':
  errors.run_main(main)
