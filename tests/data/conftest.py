"""Made-up files and digits of small sizes."""

from __future__ import annotations

import pathlib

import h5py
import numpy as np
import pytest
import scipy.io

from nph_jax.data import sources


class Files:
  """Writes small data sets of the field's formats under one folder."""

  def __init__(self, folder: pathlib.Path):
    self.folder = folder
    self.rng = np.random.default_rng(0)

  def features(self, name, shape=(12, 3, 5), values=None, key='feats'):
    if values is None:
      values = self.rng.standard_normal(shape).astype(np.float32)
    with h5py.File(self.folder / name, 'w') as file:
      file[key] = values
    return values

  def labels(self, name, values, key='labels'):
    scipy.io.savemat(self.folder / name, {key: values})

  @staticmethod
  def multi_hot(num_videos, num_labels=4):
    labels = np.arange(num_videos) % num_labels
    return np.eye(num_labels, dtype=np.uint8)[labels]

  def dataset(self, train=12, query=4, database=7):
    """Writes three splits; returns the frames of each, as written."""
    frames = {}
    for split, number in zip(sources.SPLITS, (train, query, database)):
      frames[split] = self.features(f'{split}.h5', (number, 3, 5))
      self.labels(f'{split}.mat', self.multi_hot(number))
    return frames

  def config(self, **changes):
    """The config of `dataset`; `changes` like train_labels='' or canvas=9."""
    config = {
      'name': 'custom',
      'source_dir': str(self.folder),
      'published': '',
      **dict.fromkeys(('num_frames', 'feature_dim', 'num_labels', 'canvas'), 0),
    }
    for split in sources.SPLITS:
      config[split] = {
        'features': f'{split}.h5',
        'labels': f'{split}.mat',
        'num_videos': 0,
      }
    for name, value in changes.items():
      split, _, field = name.partition('_')
      if split in sources.SPLITS:
        config[split][field] = value
      else:
        config[name] = value
    return config

  def spec(self, seed=0, **changes):
    return sources.DataSpec.from_config(self.config(**changes), seed)


@pytest.fixture
def files(tmp_path):
  folder = tmp_path / 'sources'
  folder.mkdir()
  return Files(folder)


@pytest.fixture
def digits_spec():
  """Makes specs of moving_digits of a few videos."""

  def make(train=40, query=10, database=21, seed=0, **changes):
    config = Files(pathlib.Path()).config(name='moving_digits', **changes)
    for split, number in zip(sources.SPLITS, (train, query, database)):
      config[split] = {'features': '', 'labels': '', 'num_videos': number}
    return sources.DataSpec.from_config(config, seed)

  return make
