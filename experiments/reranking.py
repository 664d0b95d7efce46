"""What re-ranking the nearest by t gives, and what it costs.

  python -m experiments.reranking [--methods=itq] [--bits=32,64] [--seeds=0]

Every database is indexed with its t; every query is searched for the first 20,
by Hamming distance alone and with the nearest R ordered by the cosine of t.
mAP@20, denominator min(R, 20), videos in the order of the search; `R = all` is
the ranking by t alone. By default of the first seed.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

from experiments import cells, command_line, grid, settings
from nph_jax import errors


def main(argv: Sequence[str] | None = None) -> None:
  """Runs what is missing and writes the tables."""
  flags = command_line.parser('What re-ranking by t gives.')
  flags.set_defaults(seeds=settings.SEEDS[:1])
  chosen = command_line.options(flags, argv)
  pairs = [
    (method, bits)
    for method in grid.available(chosen.methods or settings.RERANKING_METHODS)
    for bits in chosen.bits or settings.RERANKING_BITS
  ]

  def cells_of(dataset: command_line.Dataset, seed: int) -> list[cells.Cell]:
    own = dataclasses.replace(dataset, name=f'reranking/{dataset.name}')
    made = own.cells(pairs, seed)
    return [dataclasses.replace(cell, reranks=True) for cell in made]

  grid.run_all(chosen, cells_of)


if __name__ == '__main__':
  errors.run_main(main)
