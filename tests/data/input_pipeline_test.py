"""Training and evaluation pipelines."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

from nph_jax import errors
from nph_jax.data import input_pipeline, video_features
from nph_jax.data.quiet_tensorflow import tf


@pytest.fixture
def dataset(files, tmp_path):
  files.dataset(train=23, query=4, database=21)
  return video_features.build(files.spec(), tmp_path / 'data')


def take(split, number, *args, **kwargs):
  batches = input_pipeline.train_batches(split, *args, **kwargs)
  return list(itertools.islice(batches, number))


def assert_equal(first, second):
  assert len(first) == len(second)
  for one, other in zip(first, second):
    assert one.keys() == other.keys()
    for key in one:
      np.testing.assert_array_equal(one[key], other[key])


def test_batches_hold_the_videos_of_their_index(dataset):
  split = dataset.split('train')
  for batch in take(split, 6, 5, seed=0):
    assert batch['frames'].shape == (5, 3, 5)
    assert batch['frames'].dtype == np.float16
    assert batch['index'].dtype == np.int64
    stored = split.read(batch['index'])
    np.testing.assert_array_equal(batch['frames'], stored['frames'])


def test_an_epoch_is_a_permutation_less_the_remainder(dataset):
  batches = take(dataset.split('train'), 8, 5, seed=0)  # 4 steps an epoch
  epochs = [
    np.concatenate([batch['index'] for batch in part])
    for part in (batches[:4], batches[4:])
  ]
  for epoch in epochs:
    assert len(set(epoch)) == 20
  assert (epochs[0] != epochs[1]).any()
  # Which videos are left out changes with the epoch.
  assert set(epochs[0]) != set(epochs[1])


@pytest.mark.parametrize('start', [1, 4, 6])
def test_resume_is_exact(dataset, start):
  split = dataset.split('train')
  whole = take(split, 9, 5, seed=7)
  assert_equal(whole[start:], take(split, 9 - start, 5, 7, start_step=start))


def test_seed_decides_the_order(dataset):
  split = dataset.split('train')
  first, again, other = (take(split, 2, 5, seed=s) for s in (1, 1, 2))
  assert_equal(first, again)
  assert (first[0]['index'] != other[0]['index']).any()


def test_large_seeds_differ():
  orders = [input_pipeline.epoch_order(50, 2**63 + s, 0) for s in (0, 1)]
  assert (orders[0] != orders[1]).any()


def test_a_far_step_needs_none_before(dataset):
  (batch,) = take(dataset.split('train'), 1, 5, 0, start_step=4 * 10**9)
  assert len(set(batch['index'])) == 5


def test_processes_share_the_global_batch(dataset):
  split = dataset.split('train')
  whole = take(split, 6, 6, seed=3)
  parts = [
    take(split, 6, 6, 3, process_index=p, process_count=2) for p in (0, 1)
  ]
  joined = [
    {key: np.concatenate([one[key], other[key]]) for key in one}
    for one, other in zip(*parts)
  ]
  assert_equal(whole, joined)
  assert parts[0][0]['frames'].shape == (3, 3, 5)


def test_impossible_batches(dataset):
  split = dataset.split('train')
  assert len(take(split, 1, 23, seed=0)[0]['index']) == 23
  with pytest.raises(errors.UserError, match='batch_size=24 .* 23 training'):
    take(split, 1, 24, seed=0)
  with pytest.raises(errors.UserError, match='multiple of 2'):
    take(split, 1, 5, seed=0, process_count=2)


@pytest.mark.parametrize('size', [8, 7, 21, 30, 1])
def test_evaluation_holds_every_video_once(dataset, size):
  split = dataset.split('database')
  blocks = list(input_pipeline.evaluation_blocks(split, size))
  for block in blocks[:-1]:
    assert {len(value) for value in block.values()} == {size}
  stored = split.read(range(21))
  for key, values in stored.items():
    found = np.concatenate([block[key] for block in blocks])
    np.testing.assert_array_equal(found, values)


def test_the_same_videos_come_from_wherever_the_frames_stay(dataset):
  split = dataset.split('train')
  kept = input_pipeline.all_frames(split)
  stream, host, device = (
    take(split, 7, 5, seed=3, residency=name)  # beyond an epoch
    for name in ('stream', 'host', 'device')
  )
  assert_equal(host, stream)
  for batch, row in zip(stream, device):
    np.testing.assert_array_equal(batch['index'], row['index'])
    np.testing.assert_array_equal(batch['frames'], kept[row['index']])


def test_tensorflow_sees_no_gpu():
  assert not tf.config.get_visible_devices('GPU')
