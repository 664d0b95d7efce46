"""Eq. 1-12 and 15-17, literal and fused, against float64 NumPy."""

import functools

import ablation_cases as cases
import basics
import jax
import nph_reference as reference
import numpy as np
import pytest
from ablation_cases import SCALE, WIDTH, B

from nph_jax.models import nph_loss
from nph_jax.models.memory_attention import MemoryAttention

pytestmark = pytest.mark.usefixtures('float64')


@pytest.fixture(params=[True, False], ids=['literal', 'fused'])
def problem(request):
  """A small NPH with random parameters, and one batch."""
  return cases.problem('nph_paper', literal=request.param)


def loss_of(method, params, collections, batch, tables):
  """The loss, its terms and the collections, compiled."""
  run = jax.jit(lambda *a: method.loss(*a, jax.random.key(0), None))
  return run(params, collections, batch, tables)


def reference_loss(params, batch, tables):
  """L of eq. 12 and its terms."""
  terms = reference.terms('nph', params, batch, tables, SCALE)
  weights = {'similarity': 0.1, 'visual': 0.8, 'neighborhood': 0.1}
  return sum(w * terms[name] for name, w in weights.items()), terms


def test_loss_and_terms_equal_the_paper(problem):
  _, params, _, batch, tables = problem
  loss, (terms, _) = loss_of(*problem)
  expected, expected_terms = reference_loss(params, batch, tables)
  np.testing.assert_allclose(loss, expected, rtol=1e-10)
  for name, value in expected_terms.items():
    np.testing.assert_allclose(terms[name], value, rtol=1e-10)


def test_loss_of_the_outputs_alone_equals_the_paper(problem):
  method, params, collections, batch, tables = problem
  ids = tables['anchor_indices'][batch['index']]
  apply = functools.partial(
    method.module.apply, train=True, mutable=list(collections)
  )
  variables = {'params': params, **collections}
  nearest = tables['anchors'][ids]
  outputs, _ = jax.jit(apply)(variables, batch['frames'], nearest)
  similarity = np.where(
    [[bool({*i} & {*j}) for j in ids.tolist()] for i in ids.tolist()], 1, -1
  )
  loss, terms = nph_loss.total_loss(outputs, batch['frames'], similarity)
  expected, expected_terms = reference_loss(params, batch, tables)
  np.testing.assert_allclose(loss, expected, rtol=1e-10)
  for name, value in expected_terms.items():
    np.testing.assert_allclose(terms[name], value, rtol=1e-10)
  weights = {'similarity': 0.0, 'visual': 2.0, 'neighborhood': 0.0}
  loss, terms = nph_loss.total_loss(outputs, batch['frames'], None, weights)
  assert list(terms) == ['visual']
  np.testing.assert_allclose(loss, 2 * expected_terms['visual'], rtol=1e-10)


def test_gradient_equals_finite_differences_of_the_paper(problem):
  """In the decoder's output, behind the sign, where all is smooth."""
  method, params, collections, batch, tables = problem
  gradient = jax.jit(
    jax.grad(
      lambda p: method.loss(
        p, collections, batch, tables, jax.random.key(0), None
      )[0]
    )
  )(params)
  value = lambda p: reference_loss(p, batch, tables)[0]  # noqa: E731
  entries = [
    (path, index)
    for path in ('output/kernel', 'lstm/gates/recurrent_kernel')
    for index in ((0, 0), (3, 2))
  ]
  entries = [(f'decoder/cell/{path}', index) for path, index in entries]
  basics.assert_slopes(gradient, value, params, entries, atol=1e-9)


def test_encoding_uses_debiased_running_statistics(problem):
  method, params, collections, batch, tables = problem
  _, (_, updated) = loss_of(*problem)
  nearest = tables['anchors'][tables['anchor_indices'][batch['index']]]
  variables = method.inference_variables(params, updated)
  encode = jax.jit(method.relaxed_code)
  relaxed = encode(variables, batch['frames'], nearest)
  n = basics.dense(params['neighborhood'], np.asarray(nearest).reshape(B, -1))
  states, _ = reference.neighborhood_lstm(
    params['encoder'], batch['frames'], n, SCALE
  )
  # After one step the debiased average is that step's batch statistics.
  expected = basics.dense(params['hash_layer'], states[:, -1])
  np.testing.assert_allclose(relaxed, expected, rtol=1e-9)


def test_statistics_average_with_the_momentum(problem):
  method, params, collections, batch, tables = problem
  frames = [batch['frames'], 3 * batch['frames'] + 1]
  means = []
  for v in frames:
    given = params, collections, {**batch, 'frames': v}, tables
    _, (_, one) = loss_of(method, *given)
    stats = one['batch_stats']['encoder']['norm']
    means.append(stats['mean'] / stats['weight'])
  state = collections
  for v in frames:
    given = params, state, {**batch, 'frames': v}, tables
    _, (_, state) = loss_of(method, *given)
  stats = state['batch_stats']['encoder']['norm']
  expected = (0.99 * 0.01 * means[0] + 0.01 * means[1]) / (0.99 * 0.01 + 0.01)
  np.testing.assert_allclose(
    stats['mean'] / stats['weight'], expected, rtol=1e-9
  )


def test_attention_weights_sum_to_one(problem):
  """Equal value rows come back unchanged, whatever the weights are."""
  module = MemoryAttention(WIDTH, 4.0)
  m = np.random.default_rng(0).normal(size=(B, WIDTH))
  variables = module.init(jax.random.key(0), m, m)
  value = m @ variables['params']['value']['kernel']
  np.testing.assert_allclose(module.apply(variables, m, m), value, rtol=1e-10)


@pytest.mark.parametrize('heads', [1, 3])
def test_heads_split_the_width(heads):
  module = MemoryAttention(WIDTH, 4.0, heads)
  rng = np.random.default_rng(0)
  m, v = rng.normal(size=(2, B, WIDTH))
  variables = module.init(jax.random.key(0), m, v)
  kernels = variables['params']
  size = WIDTH // heads
  parts = []
  for head in range(heads):
    columns = slice(head * size, (head + 1) * size)
    part = {k: {'kernel': w['kernel'][:, columns]} for k, w in kernels.items()}
    parts.append(reference.attention(part, m, v, 4.0))
  np.testing.assert_allclose(
    module.apply(variables, m, v), np.concatenate(parts, axis=1), rtol=1e-10
  )


def test_residual_adds_the_memory():
  plain = MemoryAttention(WIDTH, 4.0)
  m, v = np.random.default_rng(0).normal(size=(2, B, WIDTH))
  variables = plain.init(jax.random.key(0), m, v)
  residual = MemoryAttention(WIDTH, 4.0, residual=True)
  np.testing.assert_allclose(
    residual.apply(variables, m, v), m + plain.apply(variables, m, v)
  )
