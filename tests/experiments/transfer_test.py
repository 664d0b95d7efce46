"""The transfer protocol: no class is on both sides."""

import dataclasses
import pathlib

import numpy as np
import pytest

from experiments import cells, command_line, grid, settings, transfer
from nph_jax import errors
from nph_jax.data import moving_digits


def test_one_class_in_six_is_held_out():
  assert len(transfer.held_out(239, 0)) == 40
  assert len(transfer.held_out(10, 0)) == 2
  assert len(transfer.held_out(2, 0)) == 1
  draws = {tuple(transfer.held_out(10, seed)) for seed in range(20)}
  assert len(draws) > 5
  assert all(a < b < 10 for a, b in draws)
  assert (transfer.held_out(10, 3) == transfer.held_out(10, 3)).all()


def multi_hot(num_videos, seed):
  rng = np.random.default_rng(seed)
  return (rng.random((num_videos, 6)) < 0.3).astype(np.uint8)


def test_no_class_is_on_both_sides():
  labels = {
    name: multi_hot(count, seed)
    for seed, (name, count) in enumerate(
      [('train', 200), ('query', 30), ('database', 50)]
    )
  }
  classes = np.array([1, 4])
  parts = transfer.split_rows(labels, classes, 0)
  seen = {
    name: np.concatenate([labels[split][rows] for split, rows in part])
    for name, part in parts.items()
  }
  assert not seen['train75'][:, classes].any()
  assert seen['train25'][:, classes].any(axis=1).all()
  assert seen['test25'][:, classes].any(axis=1).all()
  assert {split for split, _ in parts['train75']} == {'train'}
  assert {split for split, _ in parts['train25']} == {'train'}
  assert {split for split, _ in parts['test25']} == {'query', 'database'}
  assert len(seen['train75']) + len(seen['train25']) == 200
  held = sum(labels[n][:, classes].any(axis=1).sum() for n in labels)
  assert len(seen['test25']) + len(seen['train25']) == held


def test_queries_are_drawn_when_there_are_too_many(monkeypatch):
  monkeypatch.setattr(settings, 'TRANSFER_QUERIES', 7)
  labels = {'train': multi_hot(40, 0), 'query': multi_hot(60, 1)}
  draws = []
  for seed in (0, 0, 1):
    ((name, rows),) = transfer.split_rows(labels, np.array([2]), seed)['test25']
    assert name == 'query' and len(set(rows)) == 7
    assert labels['query'][rows, 2].all() and (np.diff(rows) > 0).all()
    draws.append(tuple(rows))
  assert draws[0] == draws[1] != draws[2]


def test_the_files_hold_the_videos_of_the_split(digits, where):
  folder = transfer.files(digits(), 3, where)
  classes = transfer.held_out(10, 3)
  frames, labels = moving_digits.make_videos(
    'train', 0, 64, seed=3, num_frames=3, canvas=9
  )
  unseen = labels[:, classes].any(axis=1)
  np.testing.assert_array_equal(
    np.load(folder / 'train75.npy'), frames[~unseen]
  )
  np.testing.assert_array_equal(np.load(folder / 'train25.npy'), frames[unseen])
  np.testing.assert_array_equal(
    np.load(folder / 'train25_labels.npy'), labels[unseen][:, classes]
  )
  queries = np.load(folder / 'test25_labels.npy')
  assert len(np.load(folder / 'test25.npy')) == len(queries)
  assert queries.any(axis=1).all()
  assert [p.name for p in folder.parent.glob('.*partial')] == []
  assert transfer.files(digits(), 3, where) == folder


def test_the_data_set_learns_from_the_files_as_the_whole_one_does(
  digits, where, tmp_path
):
  train = ['train75', 'train25']
  made = transfer.dataset_of(digits(), 0, where, 'table2_train25', train)
  made.check()
  (cell,) = made.cells([('nph', 32)], 0)
  config = cell.config(where)
  assert made.name == 'table2_train25/digits'
  assert (config.train.num_steps, config.neighborhood.num_steps) == (3, 3)
  files = config.data.train.features.split(',')
  assert [pathlib.Path(f).name for f in files] == ['train75.npy', 'train25.npy']
  assert config.data.query.features.endswith('test25.npy')
  assert config.data.database.labels.endswith('train25_labels.npy')
  flat = cells.flat_values(config)
  assert not [v for v in flat.values() if str(tmp_path) in str(v)]
  # Lengths in epochs stay epochs.
  values = digits().values
  longer = dataclasses.replace(
    digits(), values={k: v for k, v in values.items() if 'steps' not in k}
  )
  made = transfer.dataset_of(longer, 0, where, 'table1_unseen', ['train75'])
  (cell,) = made.cells([('nph', 32)], 0)
  assert cell.config(where).train.num_epochs == 60
  assert cell.config(where).train.num_steps == 0


def test_training_labels_are_asked_for(where, tmp_path):
  rng = np.random.default_rng(0)
  np.save(tmp_path / 'x.npy', rng.random((12, 3, 8), np.float32))
  np.save(tmp_path / 'y.npy', np.eye(4, dtype=np.uint8)[np.arange(12) % 4])
  values = {'data.source_dir': str(tmp_path), 'data.train.features': 'x.npy'}
  for split in ('query', 'database'):
    values[f'data.{split}.features'] = 'x.npy'
    values[f'data.{split}.labels'] = 'y.npy'
  mine = command_line.Dataset('mine', 'configs/custom.py', values)
  with pytest.raises(errors.UserError, match='data.train.labels'):
    transfer.files(mine, 0, where)
  values['data.train.labels'] = 'y.npy'
  folder = transfer.files(mine, 0, where)
  # The database is the queries: each is asked once.
  assert len(np.load(folder / 'test25.npy')) == 3


def test_the_command_makes_both_tables(flags, monkeypatch):
  wanted = []
  monkeypatch.setattr(grid, 'run', lambda cells, _: wanted.extend(cells) or [])
  transfer.main([*flags, '--methods=itq', '--bits=8,16'])
  names = ['cosine-0-0', 'random-8-0', 'random-16-0', 'itq-8-0', 'itq-16-0']
  for table, parts in transfer.TRAIN.items():
    found = [c for c in wanted if c.dataset == f'{table}/moving_digits']
    assert [cell.name for cell in found] == names
    files = found[0].values['data.train.features'].split(',')
    assert [pathlib.Path(f).stem for f in files] == list(parts)
