"""Tables 1 and 2: classes that training never showed, and the same once it has.

  python -m experiments.transfer [--config=configs/moving_digits.py]

The transfer protocol: train75, train25 and test25, without common classes.
Table 1 trains on train75. Table 2, the paper's "We use train25 for further
training", is read as training on train75 and train25 together, as long as for
Table 1. 32 and 64 bits: the paper does not say which it used.

About one class in six is held out, drawn anew for each seed (the paper: 40 of
239; here 2 of 10). Labels are those of the held-out classes alone, so that a
hit is one of an unseen class.

  train75  training videos without any held-out class
  train25  training videos with one: the database
  test25   query and database videos with one, 1000 at most: the queries

A video that shows a held-out class beside another is never in train75. Queries
come from the splits that no training video comes from, as in the data set
itself: on ucf101_10 no scene and on moving_digits no source image is shared.
The paper draws test25 from all videos of the 40 classes.
"""

from __future__ import annotations

import pathlib
import shutil
from collections.abc import Sequence
from typing import Any

import numpy as np

from experiments import cells, command_line, grid, settings
from nph_jax import configuration, errors, rng

_BLOCK_SIZE = 256
CUSTOM = 'configs/custom.py'
# By table, what is learned from.
TRAIN = {
  'table1_unseen': ('train75',),
  'table2_train25': ('train75', 'train25'),
}


def held_out(num_labels: int, seed: int) -> np.ndarray:
  """The classes held out, sorted: one in six, at least one."""
  count = max(1, round(num_labels * 40 / 239))
  draw = np.random.default_rng(rng.subseed(seed, 'held-out classes'))
  return np.sort(draw.choice(num_labels, count, replace=False))


def split_rows(
  labels: dict[str, np.ndarray], classes: np.ndarray, seed: int
) -> dict[str, list[tuple[str, np.ndarray]]]:
  """The rows that make up train75, train25 and test25.

  Args:
    labels: multi-hot [N, number of labels] of train, query and database;
      database left out where the queries are the database.
    classes: held out.
    seed: of the draw when there are too many queries.

  Returns:
    For each of the three, (split, rows) in file order.
  """
  unseen = {k: v[:, classes].any(axis=1) for k, v in labels.items()}
  parts = [
    (name, row)
    for name in labels
    if name != 'train'
    for row in np.flatnonzero(unseen[name])
  ]
  draw = np.random.default_rng(rng.subseed(seed, 'test25'))
  count = min(len(parts), settings.TRANSFER_QUERIES)
  chosen = sorted(draw.choice(len(parts), count, replace=False))
  queries = {
    name: np.array([parts[i][1] for i in chosen if parts[i][0] == name], int)
    for name in labels
    if name != 'train'
  }
  return {
    'train75': [('train', np.flatnonzero(~unseen['train']))],
    'train25': [('train', np.flatnonzero(unseen['train']))],
    'test25': list(queries.items()),
  }


def files(
  dataset: command_line.Dataset, seed: int, folders: cells.Folders
) -> pathlib.Path:
  """Folder of train75.npy, train25.npy and test25.npy, and their _labels.npy.

  Made once for each data set, configuration of it, and seed.

  Raises:
    UserError: the training videos have no labels.
  """
  cell = dataset.cells([('cosine', 0)], seed)[0]
  name = f'{dataset.name}-seed{seed}-{cell.digest(folders)}'
  folder = folders.scratch / 'transfer' / name
  with cells.locked(folder.with_name(f'{name}.lock')):
    if not folder.exists():
      _make(cell, folders, folder)
  return folder


def _make(
  cell: cells.Cell, folders: cells.Folders, folder: pathlib.Path
) -> None:
  from experiments import running  # slow; wrong flags fail before
  from nph_jax.stages.job import open_job

  job = open_job(cell.config(folders), str(cell.workdir(folders)))
  splits = dict(job.dataset.splits)
  if splits['query'].same_source_as(splits['database']):
    del splits['database']
  if not splits['train'].has_labels:
    raise errors.UserError(
      f'{cell.dataset}: the transfer protocol has to know the classes of the '
      'training videos; name their labels with --config.data.train.labels=FILE.'
    )
  classes = held_out(job.shape.num_labels, cell.seed)
  labels = {name: running.labels_of(split) for name, split in splits.items()}
  partial = folder.with_name(f'.{folder.name}.partial')
  shutil.rmtree(partial, ignore_errors=True)
  partial.mkdir(parents=True)
  try:
    for name, parts in split_rows(labels, classes, cell.seed).items():
      _write(partial / name, splits, parts, labels, classes)
    partial.rename(folder)
  finally:
    shutil.rmtree(partial, ignore_errors=True)


def _write(
  path: pathlib.Path,
  splits: dict[str, Any],
  parts: Sequence[tuple[str, np.ndarray]],
  labels: dict[str, np.ndarray],
  classes: np.ndarray,
) -> None:
  count = sum(len(rows) for _, rows in parts)
  split = splits['train']
  frames = np.lib.format.open_memmap(
    path.with_suffix('.npy'),
    'w+',
    np.float16,
    (count, split.num_frames, split.feature_dim),
  )
  start = 0
  for name, rows in parts:
    for block in np.array_split(rows, -(-len(rows) // _BLOCK_SIZE) or 1):
      frames[start : start + len(block)] = splits[name].read(block)['frames']
      start += len(block)
  frames.flush()
  kept = np.concatenate([labels[name][rows] for name, rows in parts])
  np.save(path.with_name(f'{path.name}_labels.npy'), kept[:, classes])


def dataset_of(
  dataset: command_line.Dataset,
  seed: int,
  folders: cells.Folders,
  experiment: str,
  train: Sequence[str],
) -> command_line.Dataset:
  """The data set of one seed's transfer experiment, as one of custom files.

  Args:
    dataset: the whole one.
    seed: decides the held-out classes.
    folders: where the files go.
    experiment: folder of the results.
    train: of train75 and train25, what is learned from.
  """
  folder = files(dataset, seed, folders)
  values = not_custom(dataset)
  names = lambda parts, end: ','.join(f'{folder.name}/{p}{end}' for p in parts)  # noqa: E731
  values['data.source_dir'] = str(folder.parent)
  for split, parts in (
    ('train', train), ('query', ['test25']), ('database', ['train25'])
  ):  # fmt: skip
    values[f'data.{split}.features'] = names(parts, '.npy')
    if split != 'train':
      values[f'data.{split}.labels'] = names(parts, '_labels.npy')
  return command_line.Dataset(
    f'{experiment}/{dataset.name}', CUSTOM, values, dataset.methods
  )


def not_custom(dataset: command_line.Dataset) -> dict[str, Any]:
  """The values, but of the data, that configs/custom.py has otherwise."""
  config = cells.load_config(dataset.config_file, '')
  configuration.set_values(config, dataset.values)
  own = cells.flat_values(config, everything=True)
  custom = cells.flat_values(cells.load_config(CUSTOM, ''), everything=True)
  return {
    name: tuple(value) if isinstance(value, list) else value
    for name, value in own.items()
    if not name.startswith('data.') and value != custom[name]
  }


def main(argv: Sequence[str] | None = None) -> None:
  """Runs what is missing of both tables and writes them."""
  flags = command_line.parser('Classes unseen, and trained on.')
  chosen = command_line.options(flags, argv)
  pairs = grid.pairs(chosen, settings.TRANSFER_METHODS, settings.TRANSFER_BITS)
  random = [('random', bits) for bits in dict.fromkeys(b for _, b in pairs)]
  pairs = [('cosine', 0), *random, *pairs]

  def cells_of(dataset: command_line.Dataset, seed: int) -> list[cells.Cell]:
    sets = (
      dataset_of(dataset, seed, chosen.folders, name, parts)
      for name, parts in TRAIN.items()
    )
    return [cell for one in sets for cell in one.cells(pairs, seed)]

  grid.run_all(chosen, cells_of)


if __name__ == '__main__':
  errors.run_main(main)
