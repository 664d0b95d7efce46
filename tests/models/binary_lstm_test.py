"""The binary LSTM against float64 NumPy, and its statistics."""

import basics
import jax
import numpy as np
import pytest
import rival_reference as reference

from nph_jax.models.binary_lstm import BinaryLSTM
from nph_jax.models.config import Norm, RecurrentConfig

pytestmark = pytest.mark.usefixtures('float64')
B, T, L, H = 7, 4, 5, 6
NORM = Norm(momentum=0.9)


def make(binary, norm=NORM, precision='float32'):
  config = RecurrentConfig(norm=norm, precision=precision)
  module = BinaryLSTM(T, H, binary, config)
  frames = np.random.default_rng(0).normal(size=(B, T, L))

  def init():
    variables = module.init(jax.random.key(0), frames, False)
    return variables['params'], variables['batch_stats']

  return module, frames, *basics.state(init)


def train(module, frames, params, stats):
  variables = {'params': params, 'batch_stats': stats}
  (state, hidden), after = jax.jit(
    lambda v: module.apply(v, frames, True, mutable=['batch_stats'])
  )(variables)
  return state, hidden, after['batch_stats']


@pytest.mark.parametrize('binary', [True, False])
def test_equals_the_definition(binary):
  module, frames, params, stats = make(binary)
  state, hidden, _ = train(module, frames, params, stats)
  c, t, h, _ = reference.binary_lstm(params, frames, binary)
  np.testing.assert_allclose(state.cell, c, rtol=1e-9)
  np.testing.assert_allclose(state.hidden, t, rtol=1e-9)
  np.testing.assert_allclose(hidden, h, rtol=1e-9)


def test_inference_normalises_with_the_running_statistics():
  module, frames, params, stats = make(binary=True)
  *_, used = reference.binary_lstm(params, frames, binary=True)
  _, _, after = train(module, frames, params, stats)
  other = np.random.default_rng(2).normal(size=(3, T, L))
  variables = {'params': params, 'batch_stats': after}
  state, _ = jax.jit(lambda v: module.apply(v, other, False))(variables)
  # After one step the average is that step's batch.
  c, t, _, _ = reference.binary_lstm(params, other, True, moments=used)
  np.testing.assert_allclose(state.cell, c, rtol=1e-9)
  np.testing.assert_allclose(state.hidden, t, rtol=1e-9)


def test_statistics_of_all_steps_together():
  module, frames, params, stats = make(True, Norm(0.9, per_step=False))
  # gamma and beta are one row then, the same for every step.
  wide = params | {
    'norm': {k: np.repeat(v, T, axis=0) for k, v in params['norm'].items()}
  }
  *_, used = reference.binary_lstm(wide, frames, binary=True)
  _, _, after = train(module, frames, params, stats)
  mean = np.mean([m for m, _ in used], axis=0)
  np.testing.assert_allclose(
    after['norm']['mean'][0] / after['norm']['weight'], mean, rtol=1e-9
  )


def test_gradient_equals_finite_differences_where_nothing_is_binary():
  module, frames, params, stats = make(binary=False)
  weights = np.random.default_rng(3).normal(size=(B, T, H))

  def by_jax(params):
    return (train(module, frames, params, stats)[1] * weights).sum()

  def by_numpy(params):
    h = reference.binary_lstm(params, frames, binary=False)[2]
    return (h * weights).sum()

  entries = (
    ('input_kernel', (2, 7)),
    ('recurrent_kernel', (1, 3)),
    ('peepholes', (0, 2)),
    ('peepholes', (2, 4)),
    ('bias', (9,)),
  )
  gradient = jax.grad(by_jax)(params)
  basics.assert_slopes(gradient, by_numpy, params, entries)


def test_bfloat16_rounds_products_only():
  module, frames, params, stats = make(False, precision='bfloat16')
  exact = make(False)[0]
  found = train(module, frames, params, stats)[1]
  expected = train(exact, frames, params, stats)[1]
  assert found.dtype == expected.dtype
  np.testing.assert_allclose(found, expected, atol=0.05)
  assert np.abs(found - expected).max() > 0
