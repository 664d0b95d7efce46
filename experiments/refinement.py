"""Alternating refinement: anchors and S made anew from the trained hasher.

  python -m experiments.refinement [--rounds=2] \
    [--config=configs/moving_digits.py]

Round 0 is the method as it stands. Each further round takes t of the round
before for y, makes anchors and S of that and trains again, from the same
initial values. Beyond the paper, whose conclusion leaves it open.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

from experiments import cells, command_line, grid, settings
from nph_jax import errors

FOLDER = 'refinement'


def rounds(
  dataset: command_line.Dataset, seed: int, method: str, bits: int, last: int
) -> list[cells.Cell]:
  """The cells of rounds 0 to `last`, each refining the one before."""
  made: list[cells.Cell] = []
  for number in range(last + 1):
    name = f'{FOLDER}/{dataset.name}-round{number}'
    named = dataclasses.replace(dataset, name=name)
    (cell,) = named.cells([(method, bits)], seed)
    before = made[-1] if made else None
    made.append(
      dataclasses.replace(cell, refines=before, keeps_bundle=number < last)
    )
  return made


def main(argv: Sequence[str] | None = None) -> None:
  """Runs what is missing and writes the tables."""
  flags = command_line.parser('Alternating refinement.')
  flags.add_argument(
    '--rounds',
    type=int,
    choices=range(1, 10),
    default=settings.REFINEMENT_ROUNDS,
    help='trainings after the first one',
  )
  chosen = command_line.options(flags, argv)
  pairs = grid.pairs(
    chosen, settings.REFINEMENT_METHODS, settings.REFINEMENT_BITS
  )
  grid.run_all(
    chosen,
    lambda dataset, seed: [
      cell
      for pair in pairs
      for cell in rounds(dataset, seed, *pair, chosen.flags.rounds)
    ],
  )


if __name__ == '__main__':
  errors.run_main(main)
