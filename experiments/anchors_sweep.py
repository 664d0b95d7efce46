"""mAP and density of S against the anchors n and the training videos N.

  python -m experiments.anchors_sweep [--config=configs/moving_digits.py]

The paper's remark: YFCC has nine times the videos of FCVID, and keeping 2000
anchors may be why NPH gains less there. Only made data can have another N;
files keep theirs.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

from experiments import cells, command_line, grid, settings
from nph_jax import errors

FOLDER = 'anchors_sweep'


def sweep(
  dataset: command_line.Dataset, seed: int, method: str, bits: int
) -> list[cells.Cell]:
  """A cell for each N and n of settings.SWEEP."""
  found = settings.SWEEP.get(dataset.name, settings.SWEEP_OTHERWISE)
  made = []
  for videos in found['videos']:
    for anchors in found['anchors']:
      if videos and anchors > videos:
        continue
      values = {
        **dataset.values,
        'neighborhood.num_anchors': anchors,
        'neighborhood.num_nearest': found['nearest'],
      }
      if videos:
        values['data.train.num_videos'] = videos
      name = f'{FOLDER}/{dataset.name}-N{videos or "all"}-n{anchors}'
      changed = dataclasses.replace(dataset, name=name, values=values)
      made += changed.cells([(method, bits)], seed)
  return made


def main(argv: Sequence[str] | None = None) -> None:
  """Runs what is missing and writes the tables."""
  chosen = command_line.options(
    command_line.parser('Anchors against videos.'), argv
  )
  pairs = grid.pairs(chosen, [settings.SWEEP_METHOD], [settings.SWEEP_BITS])
  grid.run_all(
    chosen,
    lambda dataset, seed: [
      cell for pair in pairs for cell in sweep(dataset, seed, *pair)
    ],
  )


if __name__ == '__main__':
  errors.run_main(main)
