"""SSTH's loss and code, in one layer and two, against float64 NumPy."""

import basics
import jax
import methods
import numpy as np
import pytest
import rival_reference as reference

from nph_jax import errors

pytestmark = pytest.mark.usefixtures('float64')
B, M, L, K = 6, 5, 7, 8


def make(**fields):
  return methods.make('ssth', K, M, L, **fields)


def problem(**fields):
  method = make(**fields)
  params, stats = basics.state(method.init, jax.random.key(0), {})
  frames = np.random.default_rng(0).normal(size=(B, M, L))
  return method, params, stats, frames


@pytest.mark.parametrize('layers', [1, 2])
def test_loss_is_the_sum_over_the_batch_divided_by_its_elements(layers):
  method, params, stats, frames = problem(layers=layers)
  loss, terms, _ = reference.loss(method, params, stats, {'frames': frames}, {})
  _, sums = reference.autoencoder(params, frames, stride=layers - 1)
  total = (sums['reverse'] + sums['forward'] + 200 * sums['mean']) / 3
  np.testing.assert_allclose(loss, total / (B * M * L), rtol=1e-9)
  np.testing.assert_allclose(terms['mean'], sums['mean'] / (B * L), rtol=1e-9)


@pytest.mark.parametrize('layers', [1, 2])
def test_relaxed_code_is_the_last_state_before_the_sign(layers):
  method, params, stats, frames = problem(layers=layers)
  run = jax.jit(lambda *a: method.run(*a, None))
  outputs, _ = run(params, stats, frames)
  relaxed, _ = reference.autoencoder(params, frames, stride=layers - 1)
  np.testing.assert_allclose(outputs.relaxed_code, relaxed, rtol=1e-9)


def test_gradient_equals_finite_differences_behind_the_sign():
  method, params, stats, frames = problem(layers=2)
  batch = {'frames': frames}
  gradient = reference.gradient(method, params, stats, batch, {})

  def by_numpy(params):
    _, sums = reference.autoencoder(params, frames, stride=1)
    total = sums['reverse'] + sums['forward'] + 200 * sums['mean']
    return total / (3 * B * M * L)

  entries = (
    ('decode_reverse/states/recurrent_kernel', (1, 2)),
    ('decode_forward/lower/input_kernel', (3, 9)),
    ('decode_mean/lower/recurrent_kernel', (4, 5)),
    ('decode_mean/output_kernel', (2, 3)),
  )
  basics.assert_slopes(gradient, by_numpy, params, entries, atol=1e-9)


def test_one_layer_is_the_default():
  _, params, _, _ = problem()
  assert 'lower' not in params


def test_other_numbers_of_layers_are_an_error():
  with pytest.raises(errors.UserError, match='layers is 3; .* 1 or 2'):
    make(layers=3)
