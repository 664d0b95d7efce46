"""What a method does before each epoch, and that a cut training goes on so."""

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from nph_jax import epochs, train, train_state
from nph_jax.checkpoint import Checkpointer
from nph_jax.metric_writer import MetricWriter

# The trainer's, run in this process.
pytestmark = pytest.mark.filterwarnings('ignore:optax.global_norm')

N, B, M, L, PER_EPOCH = 20, 4, 2, 3, 5
FRAMES = np.random.default_rng(0).normal(size=(N, M, L)).astype(np.float16)


@dataclasses.dataclass
class Chasing:
  """w . mean frame runs after a target that moves with what it has become."""

  calls: list
  has_epochs: bool = True

  def init(self, key, tables):
    return {'w': jnp.ones(L)}, {'target': {'of_video': jnp.zeros(N)}}

  def loss(self, params, collections, batch, tables, key, axis_name):
    values = self.survey(params, collections, batch, key)
    target = collections['target']['of_video'][batch['index']]
    return jnp.mean(jnp.square(values - target)), ({}, collections)

  def survey(self, params, collections, batch, key):
    return batch['frames'].mean(axis=1) @ params['w']

  def begin_epoch(self, collections, epoch, survey, key):
    self.calls.append(epoch)
    if epoch == 1:  # an epoch may leave all as it is, and read nothing
      return collections
    noise = np.asarray(jax.random.normal(key, (N,)))
    return {'target': {'of_video': survey()[::-1] + noise}}


def fit(folder, num_steps, method=None, steps_per_call=1):
  method = method or Chasing([])
  optimizer = train_state.adam(1e-2, 0.9)
  run = train.Run('x', 3, num_steps, B, PER_EPOCH, 100, 100, steps_per_call)
  read = lambda: iter([FRAMES[:12], FRAMES[12:]])  # noqa: E731

  def batches(start):
    for step in range(start, num_steps):
      index = np.random.default_rng(step).permutation(N)[:B]
      yield {'index': index}

  with (
    Checkpointer(folder / 'checkpoints') as checkpointer,
    MetricWriter(folder / 'logs', step=0, active=False) as writer,
  ):
    return train.fit(
      run,
      method,
      optimizer,
      train_state.create(method, optimizer, jax.random.key(0), {}),
      {},
      batches,
      checkpointer,
      writer,
      jnp.asarray(FRAMES),
      epochs.hook(method, read, run.seed),
    )


def assert_same(found, expected):
  for path, value in jax.tree_util.tree_leaves_with_path(expected):
    same = dict(jax.tree_util.tree_leaves_with_path(found))[path]
    np.testing.assert_array_equal(same, value, err_msg=str(path))


@pytest.fixture(scope='module')
def uninterrupted(tmp_path_factory):
  method = Chasing([])
  state = fit(tmp_path_factory.mktemp('whole'), 13, method)
  assert method.calls == [0, 1, 2]
  assert np.abs(state.collections['target']['of_video']).min() > 0
  return state


@pytest.mark.parametrize('cut', [1, 5, 10, 12])
def test_resumed_equals_uninterrupted(cut, uninterrupted, tmp_path):
  """Within an epoch, and at its edge, where the hook has not run yet."""
  fit(tmp_path, cut)
  method = Chasing([])
  state = fit(tmp_path, 13, method)
  assert method.calls == [e for e in range(3) if e * PER_EPOCH >= cut]
  assert_same(state, uninterrupted)


def test_a_call_of_several_steps_ends_with_the_epoch(uninterrupted, tmp_path):
  method = Chasing([])
  state = fit(tmp_path, 13, method, steps_per_call=4)
  assert method.calls == [0, 1, 2]
  assert_same(state.collections, uninterrupted.collections)


def test_the_survey_is_of_every_video_in_order():
  found = []

  class Telling(Chasing):
    def begin_epoch(self, collections, epoch, survey, key):
      found.append(survey())
      return collections

  method = Telling([])
  state = train_state.create(
    method, train_state.adam(1e-2, 0.9), jax.random.key(0), {}
  )
  read = lambda: iter([FRAMES[:12], FRAMES[12:]])  # noqa: E731
  epochs.hook(method, read, 0)(state, 0)
  expected = FRAMES.astype(np.float32).mean(axis=1).sum(axis=1)
  np.testing.assert_allclose(found[0], expected, rtol=1e-5)


def test_a_method_without_epochs_has_no_hook():
  assert epochs.hook(Chasing([], has_epochs=False), None, 0) is None
