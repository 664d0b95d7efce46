"""Neighbours before variance: the closed forms, NPH and what begins at them.

  python -m experiments.neighbors [--methods=itq,nph] [--bits=16] [--seeds=0]

ITQ of mean frames, of second moments and of their neighbourhood, NPH, and
nph_tuned, on ucf101_vgg14 and ucf101_10, by both rankings. The cells are those
of figure3_map: what one command has done, the other skips. Writes
results/neighbors.md and the tables of both READMEs.
"""

from __future__ import annotations

import pathlib
from collections.abc import Sequence

from experiments import command_line, grid, pages, settings
from nph_jax import errors


def main(argv: Sequence[str] | None = None) -> None:
  """Runs what is missing, writes the tables and fills the READMEs."""
  flags = command_line.parser('Neighbours before variance.')
  flags.add_argument(
    '--readme', type=pathlib.Path, nargs='*', default=pages.READMES
  )
  chosen = command_line.options(flags, argv, settings.NEIGHBORS_DATASETS)
  pairs = grid.pairs(chosen, settings.NEIGHBORS_METHODS, settings.SUMMARY_BITS)
  try:
    grid.run_all(
      chosen,
      lambda dataset, seed: dataset.cells([('cosine', 0), *pairs], seed),
    )
  finally:
    pages.fill(chosen.folders.results, chosen.flags.readme)


if __name__ == '__main__':
  errors.run_main(main)
