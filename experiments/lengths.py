"""How long each method trains, chosen on the training videos alone.

  python -m experiments.lengths [--methods=conmh,bth]

Of the training videos of a data set 30 % of the groups of each class are held
back; 30 % of those query the rest of them, so that no scene is met twice, as in
the data set itself. What remains trains each method for each of
settings.LENGTHS, at 32 bits with seed 0. Labels of training videos score these
codes; no method reads them. results/lengths.md has mAP@20 and the time that it
took; what was chosen is settings.EPOCHS.
"""

from __future__ import annotations

import dataclasses
import pathlib
from collections.abc import Sequence

import numpy as np

from experiments import cells, command_line, grid, own_codes, settings, transfer
from nph_jax import errors

FOLDER = 'lengths'


def held_back(
  dataset: command_line.Dataset, folders: cells.Folders
) -> command_line.Dataset:
  """The data set whose three splits are of the training videos.

  Raises:
    UserError: it has no names.json, which tells the groups.
  """
  config = cells.load_config(dataset.config_file, '')
  source = pathlib.Path(
    dataset.values.get('data.source_dir', '') or config.data.source_dir
  )
  folder = folders.scratch / FOLDER / dataset.name
  if not folder.exists():
    _make(source, folder)
  values = {**transfer.not_custom(dataset), 'data.source_dir': str(folder)}
  for split in ('train', 'query', 'database'):
    values[f'data.{split}.features'] = f'{split}.npy'
    values[f'data.{split}.labels'] = f'{split}_labels.npy'
  return command_line.Dataset(
    dataset.name, transfer.CUSTOM, values, settings.METHOD_VALUES
  )


def _make(source: pathlib.Path, folder: pathlib.Path) -> None:
  if not (source / 'names.json').is_file():
    raise errors.UserError(
      f'{source}: holds no names.json with the groups of the training videos, '
      'without which none can be held back.'
    )
  frames, classes, groups = own_codes.training(source)
  held, rest = own_codes.draw(classes, groups, 0)
  of_held = [groups[row] for row in held]
  query, database = own_codes.draw(classes[held], of_held, 0)
  partial = folder.with_name(f'.{folder.name}.partial')
  partial.mkdir(parents=True, exist_ok=True)
  splits = {'train': rest, 'query': held[query], 'database': held[database]}
  for name, rows in splits.items():
    np.save(partial / f'{name}.npy', frames[np.sort(rows)])
    np.save(partial / f'{name}_labels.npy', classes[np.sort(rows)])
  partial.rename(folder)


def trials(dataset: command_line.Dataset, method: str) -> list[cells.Cell]:
  """A cell for each length of settings.LENGTHS."""
  made = []
  for epochs in settings.LENGTHS.get(method, ()):
    values = {**dataset.values, **settings.trained_for(method, epochs)}
    name = f'{FOLDER}/{dataset.name}-e{epochs}'
    one = dataclasses.replace(dataset, name=name, values=values)
    made += one.cells([(method, settings.FIRST_BITS)], settings.SEEDS[0])
  return made


def main(argv: Sequence[str] | None = None) -> None:
  """Runs what is missing and writes the tables."""
  flags = command_line.parser('Lengths of training.')
  chosen = command_line.options(flags, argv, settings.LENGTHS_DATASETS)
  chosen = dataclasses.replace(chosen, seeds=settings.SEEDS[:1])
  methods = grid.available(chosen.methods or tuple(settings.LENGTHS))
  grid.run_all(
    chosen,
    lambda dataset, _: [
      cell
      for method in methods
      for cell in trials(held_back(dataset, chosen.folders), method)
    ],
  )


if __name__ == '__main__':
  errors.run_main(main)
