"""The embedded data."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn import datasets

from nph_jax.data import moving_digits

SPLITS = ('train', 'query', 'database')


def test_any_block_alone():
  frames, labels = moving_digits.make_videos('query', 0, 20, seed=3)
  assert frames.shape == (20, 25, moving_digits.CANVAS**2)
  assert frames.dtype == np.float16
  for video in (0, 7, 19):
    alone = moving_digits.make_videos('query', video, video + 1, seed=3)
    np.testing.assert_array_equal(alone[0][0], frames[video])
    np.testing.assert_array_equal(alone[1][0], labels[video])


def test_seeds_and_splits_differ():
  first = moving_digits.make_videos('train', 0, 5, seed=0)[0]
  assert (first != moving_digits.make_videos('train', 0, 5, seed=1)[0]).any()
  assert (first != moving_digits.make_videos('query', 0, 5, seed=0)[0]).any()


def test_source_images_are_those_of_scikit_learn():
  images, classes = moving_digits._source_images()
  digits = datasets.load_digits()
  np.testing.assert_allclose(images, digits.images * moving_digits.PEAK / 16)
  np.testing.assert_array_equal(classes, digits.target)


@pytest.mark.parametrize('seed', [0, 1])
def test_source_images_are_disjoint_and_complete(seed):
  pools = [moving_digits.source_pool(split, seed) for split in SPLITS]
  everything = np.concatenate(pools)
  assert len(everything) == len(set(everything)) == 1797
  classes = moving_digits._source_images()[1]
  for pool in pools:
    assert set(classes[pool]) == set(range(10))


def test_seed_decides_the_pools():
  first, second = (moving_digits.source_pool('train', s) for s in (0, 1))
  assert set(first) != set(second)


def test_one_or_two_labels_of_all_classes():
  labels = moving_digits.make_videos('train', 0, 400, seed=0)[1]
  counts = labels.sum(axis=1)
  assert set(counts) == {1, 2}
  assert (labels.sum(axis=0) > 0).all()
  # Half of the videos have two digits, a tenth of those of one class.
  assert 0.35 < (counts == 2).mean() < 0.55


def _centres(frames):
  """Centres of mass (B, M, 2) of videos (B, M, side * side)."""
  side = round(frames.shape[-1] ** 0.5)
  images = frames.reshape(*frames.shape[:-1], side, side).astype(np.float64)
  mass = images.sum(axis=(-2, -1))
  line = np.arange(side)
  rows = (images.sum(-1) * line).sum(-1) / mass
  return np.stack([rows, (images.sum(-2) * line).sum(-1) / mass], -1)


def _singles(number, **kwargs):
  frames, _ = moving_digits.make_videos('train', 0, number, **kwargs)
  draws = moving_digits._uniforms('train', 0, number, kwargs['seed'])
  return frames[draws[:, 0] >= 0.5]


def test_a_digit_keeps_its_mass_within_the_canvas():
  frames = _singles(60, seed=0).astype(np.float64)
  mass = frames.sum(axis=-1)
  np.testing.assert_allclose(mass, mass[:, :1].repeat(25, 1), rtol=3e-3)
  assert frames.min() == 0
  assert frames.max() <= moving_digits.PEAK


def test_constant_velocity_between_bounces():
  # On a large canvas no more than one bounce an axis fits into 25 frames.
  steps = np.diff(_centres(_singles(60, seed=0, canvas=64)), axis=1)
  speed = np.linalg.norm(np.abs(steps), axis=-1)
  assert (speed > 0.3).mean() > 0.95
  median = np.median(np.abs(steps), axis=1, keepdims=True)
  same = np.abs(np.abs(steps) - median) < 0.02
  assert same.mean() > 0.95
  assert (np.sign(steps).min(axis=1) != np.sign(steps).max(axis=1)).any()


def test_two_digits_overlap_by_maximum():
  frames, _ = moving_digits.make_videos('train', 0, 200, seed=0)
  draws = moving_digits._uniforms('train', 0, 200, 0)
  double = frames[draws[:, 0] < 0.5]
  assert double.max() <= moving_digits.PEAK
  # A sum would keep the mass; the maximum loses some where digits meet.
  mass = double.astype(np.float64).sum(-1)
  assert (mass.min(axis=1) < 0.95 * mass.max(axis=1)).any()
