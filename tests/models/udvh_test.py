"""UDVH's code, loss and targets against float64 NumPy."""

import basics
import jax
import jax.numpy as jnp
import methods
import numpy as np
import pytest
import rival_reference as reference

from nph_jax import errors
from nph_jax.models import itq, udvh
from nph_jax.neighborhood import anchors

B, M, L, K, WIDTH, N = 5, 4, 6, 8, 10, 40
INDEX = np.array([3, 17, 8, 29, 0])
KEY = jax.random.key(5)


@pytest.fixture
def problem(float64):
  method = methods.make(
    'udvh', K, M, L, hidden_width=WIDTH, num_clusters=7, weights__clusters=0.3
  )
  tables = {'unassigned': jnp.zeros(N, jnp.int32)}
  params, collections = basics.state(method.init, KEY, tables)
  frames = np.random.default_rng(0).normal(size=(B, M, L))
  return method, params, collections, {'frames': frames, 'index': INDEX}


def features(p, frames):
  c = h = np.zeros((len(frames), WIDTH))
  states = []
  for t in range(M):
    c, h = basics.lstm_step(p, c, h, frames[:, t])
    states.append(h)
  return np.mean(states, axis=0)


def test_loss_is_the_definition_of_it(problem):
  method, params, _, batch = problem
  draw = np.random.default_rng(1)
  targets = {
    'bits': basics.sign(draw.normal(size=(N, K))),
    'labels': draw.integers(0, 7, N).astype(np.int32),
  }
  collections = {udvh.NAME: targets}
  loss, _, after = reference.loss(method, params, collections, batch, {})
  assert jax.tree.structure(after) == jax.tree.structure(collections)
  layer = params['hash_layer']
  t = features(params, batch['frames']) @ layer['kernel'] + layer['bias']
  variables = method.inference_variables(params, collections)
  assert 'decode_clusters' not in variables['params']
  found = jax.jit(method.relaxed_code)(variables, batch['frames'], None)
  np.testing.assert_allclose(found, t, rtol=1e-9)
  last = params['decode_clusters']
  logits = np.exp(t @ last['kernel'] + last['bias'])
  logits /= logits.sum(axis=1, keepdims=True)
  right = logits[np.arange(B), targets['labels'][INDEX]]
  expected = ((t - targets['bits'][INDEX]) ** 2).mean()
  expected -= 0.3 * np.log(right).mean()
  np.testing.assert_allclose(loss, expected, rtol=1e-9)


def test_bits_are_of_one_variance_and_the_rotation_is_one():
  draw = np.random.default_rng(0)
  rows = draw.normal(size=(200, K)) * np.linspace(5, 0.1, K)
  turned = udvh.balanced(rows)
  squares = (turned**2).sum(axis=0)
  np.testing.assert_allclose(squares, (rows**2).sum() / K, rtol=1e-9)
  rotation = np.linalg.lstsq(rows, turned)[0]
  np.testing.assert_allclose(rotation @ rotation.T, np.eye(K), atol=1e-9)
  np.testing.assert_allclose(rows @ rotation, turned, atol=1e-9)
  np.testing.assert_array_equal(udvh.balanced(np.zeros((9, K))), 0)


def test_targets_come_of_the_features_every_second_epoch(problem):
  method, params, collections, _ = problem
  frames = np.random.default_rng(2).normal(size=(N, M, L))
  batch = {'frames': frames, 'index': np.arange(N)}
  y = jax.jit(method.survey)(params, collections, batch, KEY)
  np.testing.assert_allclose(y, features(params, frames), rtol=1e-9)
  survey = lambda: np.asarray(y)  # noqa: E731
  assert method.begin_epoch(collections, 3, survey, KEY) is collections
  found = method.begin_epoch(collections, 2, survey, KEY)[udvh.NAME]
  centred = y - y.mean(axis=0)
  left, values, _ = np.linalg.svd(centred, full_matrices=False)
  rows = udvh.components(np.asarray(y), K)
  np.testing.assert_allclose(
    np.abs(rows), np.abs(left * values)[:, :K], atol=1e-9
  )
  first = itq.random_rotation(KEY, K)
  turned = udvh.balanced(rows @ itq.fit_rotation(rows, first))
  np.testing.assert_array_equal(found['bits'], basics.sign(turned))
  seed = int(jax.random.bits(KEY, dtype='uint32'))
  means = anchors.fit_anchors(
    rows.astype(np.float32), 7, num_iterations=20, seed=seed
  )
  distances = ((rows[:, None] - means) ** 2).sum(axis=-1)
  np.testing.assert_array_equal(found['labels'], distances.argmin(axis=1))


def test_more_bits_than_the_features_are_wide_is_refused():
  with pytest.raises(errors.UserError, match='hidden_width'):
    methods.make('udvh', 16, M, L, hidden_width=8)
