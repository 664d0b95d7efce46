"""Training files with more frames than a step reads."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from nph_jax import temporal_jitter, train, train_state
from nph_jax.data import input_pipeline, pooled, sources, video_features

R, M, L, N = 3, 4, 5, 12


@pytest.fixture
def dataset(tmp_path):
  rng = np.random.default_rng(0)
  frames = rng.normal(size=(N, M * R, L)).astype(np.float16)
  np.save(tmp_path / 'train.npy', frames)
  np.save(tmp_path / 'query.npy', frames[:3, 1::R])
  np.save(tmp_path / 'labels.npy', np.eye(3, dtype=np.uint8))
  files = {'features': 'query.npy', 'labels': 'labels.npy', 'num_videos': 0}
  config = {
    'name': 'custom', 'source_dir': str(tmp_path), 'published': '',
    'num_frames': 0, 'feature_dim': 0, 'num_labels': 0, 'canvas': 0,
    'train': {**files, 'features': 'train.npy', 'labels': ''},
    'query': files, 'database': files,
  }  # fmt: skip
  spec = sources.DataSpec.from_config(config, 0)
  return frames, video_features.build(spec, tmp_path / 'data')


def test_training_reads_all_frames_and_all_else_the_middle_ones(dataset):
  frames, built = dataset
  split = built.split('train')
  middle = frames[:, 1::R]
  assert (built.num_frames, split.num_frames, split.stored_frames) == (4, 4, 12)
  for residency in ('stream', 'host'):
    batches = input_pipeline.train_batches(split, 6, 0, residency=residency)
    batch = next(batches)
    np.testing.assert_array_equal(batch['frames'], frames[batch['index']])
  np.testing.assert_array_equal(input_pipeline.all_frames(split), frames)
  (block,) = input_pipeline.evaluation_blocks(split, N)
  np.testing.assert_array_equal(block['frames'], middle)
  np.testing.assert_array_equal(split.read([5, 2])['frames'], middle[[5, 2]])
  (means,) = pooled.of_split(split).read()
  np.testing.assert_allclose(means, middle.mean(axis=1, dtype=np.float32))
  query = built.split('query').read([0, 1, 2])['frames']
  np.testing.assert_array_equal(query, middle[:3])


def read(key, rows=slice(None)):
  # The value of a frame tells which it is: video, then position.
  stored = np.arange(N * M * R, dtype=np.float32).reshape(N, M * R, 1)
  videos = np.arange(N)[rows]
  found = temporal_jitter.read(stored, videos, videos, R, key)
  return np.asarray(found)[..., 0] - videos[:, None] * M * R


def test_one_frame_of_each_segment():
  drawn = np.stack([read(jax.random.key(i)) for i in range(200)])
  segment, offset = np.divmod(drawn, R)
  np.testing.assert_array_equal(
    segment, np.broadcast_to(np.arange(M), drawn.shape)
  )
  shares = np.stack([(offset == r).mean(axis=0) for r in range(R)])
  np.testing.assert_allclose(shares, 1 / R, atol=0.17)  # 5 deviations
  assert len({row.tobytes() for row in drawn[0]}) > 1  # videos differ


def test_the_draw_is_of_the_video_not_of_its_place_in_the_batch():
  key = jax.random.key(3)
  np.testing.assert_array_equal(read(key)[4:8], read(key, slice(4, 8)))


class _Recorder:
  """A method whose gradient says which frames it saw."""

  def loss(self, params, collections, batch, tables, key, axis_name):
    del tables, key, axis_name
    seen = jnp.mean(batch['frames'], axis=(0, 2))
    return jnp.sum(params['w'] * seen), ({}, collections)


def weights_after(residency, frames):
  state = train_state.TrainState(
    jnp.zeros((), int), {'w': jnp.zeros(M)}, {}, optax.sgd(1.0).init(M)
  )
  step = functools.partial(
    train.train_step,
    method=_Recorder(),
    optimizer=optax.sgd(1.0),
    key=jax.random.key(0),
    frames_per_segment=R,
  )
  index = jnp.array([7, 2, 11])
  resident, batch = None, {'index': index, 'frames': frames[index]}
  if residency == 'device':
    resident, batch = frames, {'index': index}
  for _ in range(2):
    state, _ = jax.jit(step)(state, {}, batch, resident=resident)
  return np.asarray(state.params['w'])


def test_a_step_reads_the_same_frames_wherever_they_lie():
  frames = jnp.asarray(np.random.default_rng(1).normal(size=(N, M * R, L)))
  streamed = weights_after('stream', frames)
  np.testing.assert_array_equal(streamed, weights_after('device', frames))
  assert streamed.shape == (M,) and np.ptp(streamed) > 0
