"""The LSTM autoencoder against NumPy."""

import basics
import jax
import nph_reference as reference
import numpy as np
import pytest

from nph_jax.models.autoencoder import Autoencoder

B, M, L, D = 3, 4, 6, 5


def expected(p, v, reverse, copy_cell):
  c = y = np.zeros((B, D))
  for t in range(M):
    c, y = basics.lstm_step(p['encoder']['cell']['gates'], c, y, v[:, t])
  c = c if copy_cell else 0.0
  frames = reference.decode(p['decoder'], np.zeros((B, L)), M, c, y)
  return y, frames[:, ::-1] if reverse else frames


@pytest.mark.parametrize('reverse', [True, False])
@pytest.mark.parametrize('copy_cell', [True, False])
def test_features_and_reconstruction(reverse, copy_cell, float64):
  module = Autoencoder(D, M, L, reverse=reverse, copy_cell=copy_cell)
  rng = np.random.default_rng(0)
  v = rng.normal(size=(B, M, L))
  params = module.init(jax.random.key(0), v)['params']
  params = jax.tree.map(lambda x: rng.normal(size=x.shape), params)
  y, frames = expected(params, v, reverse, copy_cell)
  apply = lambda **kw: module.apply({'params': params}, v, **kw)  # noqa: E731
  np.testing.assert_allclose(apply(method='features'), y, rtol=1e-10)
  np.testing.assert_allclose(apply().frames(), frames, rtol=1e-10)


def test_gates_start_by_xavier_each():
  module = Autoencoder(64, M, 100)
  params = module.init(jax.random.key(0), np.zeros((1, M, 100), np.float32))[
    'params'
  ]
  gates = params['encoder']['cell']['gates']
  bound = np.sqrt(6 / (100 + 64))
  assert 0.9 * bound < np.abs(gates['input_kernel']).max() <= bound
  bias = np.asarray(gates['bias']).reshape(4, 64)
  np.testing.assert_array_equal(bias.mean(axis=1), [0, 1, 0, 0])
