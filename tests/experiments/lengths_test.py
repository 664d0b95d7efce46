"""Lengths of training: what is held back, and which trainings are tried."""

import json

import h5py
import numpy as np
import pytest
import scipy.io

from experiments import command_line, lengths, settings
from nph_jax import errors

GROUPS = 10  # of each class, two videos each


@pytest.fixture
def dataset(tmp_path):
  """Two classes; a frame of a video says which group it is of."""
  folder = tmp_path / 'toy'
  folder.mkdir()
  numbers = np.repeat(np.arange(2 * GROUPS), 2)
  frames = np.broadcast_to(numbers[:, None, None], (40, 3, 2))
  with h5py.File(folder / 'toy_train_feats.h5', 'w') as file:
    file['feats'] = frames.astype(np.float16)
  labels = np.eye(2, dtype=np.uint8)[numbers // GROUPS]
  scipy.io.savemat(folder / 'toy_train_labels.mat', {'labels': labels})
  about = {
    'groups_merged': [['g0', 'g1']],
    'splits': {'train': {'group': [f'g{n}' for n in numbers]}},
  }
  (folder / 'names.json').write_text(json.dumps(about))
  values = {'data.source_dir': str(folder)}
  return command_line.Dataset('toy', 'experiments/ucf101_vgg14.py', values)


def test_no_group_is_in_two_splits(dataset, where, tmp_path):
  found = lengths.held_back(dataset, where)
  folder = tmp_path / 'scratch' / 'lengths' / 'toy'
  groups = {}
  for split in ('train', 'query', 'database'):
    frames = np.load(folder / found.values[f'data.{split}.features'])
    labels = np.load(folder / found.values[f'data.{split}.labels'])
    assert frames.shape[1:] == (3, 2) and frames.dtype == np.float16
    assert np.array_equal(labels.argmax(1), frames[:, 0, 0] // GROUPS)
    assert set(labels.argmax(1)) == {0, 1}
    groups[split] = {max(1, int(x)) for x in frames[:, 0, 0]}  # 0 is merged
  assert not groups['train'] & (groups['query'] | groups['database'])
  assert not groups['query'] & groups['database']
  assert len(set.union(*groups.values())) == 2 * GROUPS - 1


def test_each_length_is_a_training_of_its_own(dataset, where, monkeypatch):
  monkeypatch.setattr(settings, 'LENGTHS', {'s5vh': (7, 28)})
  short, long = lengths.trials(lengths.held_back(dataset, where), 's5vh')
  assert (short.dataset, long.dataset) == ('lengths/toy-e7', 'lengths/toy-e28')
  config = long.config(where)
  assert (config.train.num_epochs, config.train.num_steps) == (28, 0)
  assert config.method_options.cluster_warmup == 4
  assert lengths.trials(dataset, 'itq') == []


def test_without_groups_nothing_can_be_held_back(dataset, where, tmp_path):
  (tmp_path / 'toy' / 'names.json').unlink()
  with pytest.raises(errors.UserError, match='names.json'):
    lengths.held_back(dataset, where)
