"""The LSTM autoencoder against NumPy."""

import jax
import numpy as np
import pytest

from nph_jax.models.autoencoder import Autoencoder

B, M, L, D = 3, 4, 6, 5


def sigmoid(x):
  return 1 / (1 + np.exp(-x))


def step(p, x, h, c):
  gates = x @ p['input_kernel'] + h @ p['recurrent_kernel'] + p['bias']
  i, f, g, o = np.split(gates, 4, axis=1)
  c = sigmoid(f) * c + sigmoid(i) * np.tanh(g)
  return sigmoid(o) * np.tanh(c), c


def reference(p, v, reverse, copy_cell):
  h = c = np.zeros((B, D))
  for t in range(M):
    h, c = step(p['encoder']['cell']['gates'], v[:, t], h, c)
  y, c = h, c if copy_cell else np.zeros((B, D))
  x, frames = np.zeros((B, L)), []
  cell = p['decoder']['cell']
  for _ in range(M):
    h, c = step(cell['lstm']['gates'], x, h, c)
    x = h @ cell['output']['kernel'] + cell['output']['bias']
    frames.append(x)
  frames = frames[::-1] if reverse else frames
  return y, np.stack(frames, axis=1)


@pytest.mark.parametrize('reverse', [True, False])
@pytest.mark.parametrize('copy_cell', [True, False])
def test_features_and_reconstruction(reverse, copy_cell):
  with jax.enable_x64(True):
    module = Autoencoder(D, M, L, reverse=reverse, copy_cell=copy_cell)
    rng = np.random.default_rng(0)
    v = rng.normal(size=(B, M, L))
    params = module.init(jax.random.key(0), v)['params']
    params = jax.tree.map(lambda x: rng.normal(size=x.shape), params)
    y, frames = reference(params, v, reverse, copy_cell)
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
