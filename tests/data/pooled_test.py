"""Mean frames of a split and their moments, against NumPy on all at once."""

from __future__ import annotations

import numpy as np
import pytest

from nph_jax.data import pooled, video_features


@pytest.fixture
def split(files, tmp_path):
  # More than a block, so that the last one is padded on disk.
  files.features('train.h5', (300, 3, 5), 50 + files.rng.random((300, 3, 5)))
  files.features('query.h5', (4, 3, 5))
  files.features('database.h5', (4, 3, 5))
  for name, number in (('train', 300), ('query', 4), ('database', 4)):
    files.labels(f'{name}.mat', files.multi_hot(number))
  return video_features.build(files.spec(), tmp_path / 'data').split('train')


@pytest.fixture
def expected(split):
  """The mean frames [N, L], float64."""
  frames = split.read(np.arange(split.num_videos))['frames']
  return frames.astype(np.float64).mean(axis=1)


def test_blocks_are_the_mean_frames_in_row_order(split, expected):
  features = pooled.of_split(split)
  assert (features.num_videos, features.dim) == (300, 5)
  blocks = list(features.blocks())
  assert len(blocks) > 1 and {block.dtype for block in blocks} == {
    np.dtype('float32')
  }
  np.testing.assert_allclose(np.concatenate(blocks), expected, rtol=1e-6)


def test_moments_are_those_of_all_videos(split, expected):
  features = pooled.of_split(split)
  np.testing.assert_allclose(features.mean, expected.mean(axis=0), rtol=1e-7)
  covariance = np.cov(expected, rowvar=False, bias=True)
  assert features.covariance.dtype == np.float64
  np.testing.assert_allclose(features.covariance, covariance, rtol=1e-4)


def test_projection_is_of_the_centred_features(split, expected):
  matrix = np.random.default_rng(1).standard_normal((5, 2))
  projected = pooled.of_split(split).project(matrix)
  assert projected.dtype == np.float32
  centred = expected - expected.mean(axis=0)
  np.testing.assert_allclose(projected, centred @ matrix, atol=2e-5)


def test_another_pooling_of_the_same_videos(split):
  features = pooled.of_split(split)
  largest = features.pooled_by(lambda frames: frames.max(axis=1)[:, :2], 2)
  assert (largest.num_videos, largest.dim) == (300, 2)
  frames = split.read(np.arange(split.num_videos))['frames']
  expected = frames.max(axis=1)[:, :2].astype(np.float64)
  np.testing.assert_allclose(largest.mean, expected.mean(axis=0), rtol=1e-6)
  assert features.dim == 5 and features.mean.shape == (5,)


class Counted:
  """Two uneven blocks far from zero, and how often they were read."""

  def __init__(self):
    rng = np.random.default_rng(0)
    self.videos = (1e4 + rng.standard_normal((10, 3))).astype(np.float32)
    self.passes = 0

  def read(self):
    self.passes += 1
    yield self.videos[:7]
    yield self.videos[7:]


def test_a_large_mean_costs_the_covariance_no_digits():
  counted = Counted()
  features = pooled.PooledFeatures(counted.read, 10, 3)
  exact = np.cov(counted.videos.astype(np.float64), rowvar=False, bias=True)
  np.testing.assert_allclose(features.covariance, exact, rtol=1e-9)


def test_moments_are_read_once_and_only_when_asked_for():
  counted = Counted()
  features = pooled.PooledFeatures(counted.read, 10, 3)
  assert counted.passes == 0
  for _ in range(2):
    assert features.mean.shape == (3,) and features.covariance.shape == (3, 3)
  assert counted.passes == 1
  features.project(np.eye(3))
  assert counted.passes == 2
