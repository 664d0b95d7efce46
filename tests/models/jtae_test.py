"""JTAE's loss and code against float64 NumPy."""

import basics
import jax
import methods
import numpy as np
import pytest
import rival_reference as reference

B, M, L, K, WIDTH = 6, 5, 7, 8, 9


@pytest.fixture
def problem(float64):
  method = methods.make('jtae', K, M, L, hidden_width=WIDTH)
  params, stats = basics.state(method.init, jax.random.key(0), {})
  assert stats == {}
  frames = np.random.default_rng(0).normal(size=(B, M, L))
  return method, params, frames


def mlp(p, x):
  x = x @ p['Dense_0']['kernel'] + p['Dense_0']['bias']
  return np.maximum(x, 0) @ p['Dense_1']['kernel'] + p['Dense_1']['bias']


def encode(p, frames):
  c = h = np.zeros((len(frames), WIDTH))
  for t in range(M):
    gates = p['temporal']['cell']['gates']
    c, h = basics.lstm_step(gates, c, h, frames[:, t])
  both = np.concatenate([h, mlp(p['appearance'], frames.mean(1))], axis=1)
  return both @ p['hash_layer']['kernel'] + p['hash_layer']['bias']


def test_relaxed_code(problem):
  method, params, frames = problem
  variables = method.inference_variables(params, {})
  relaxed = jax.jit(method.relaxed_code)(variables, frames, None)
  np.testing.assert_allclose(relaxed, encode(params, frames), rtol=1e-9)


def test_loss_weighs_both_branches_alike(problem):
  method, params, frames = problem
  loss, terms, _ = reference.loss(method, params, {}, {'frames': frames}, {})
  b = basics.sign(encode(params, frames))
  start = np.zeros_like(b), b, M
  reverse = reference.free_decoder(params['decode_reverse'], *start)
  forward = reference.free_decoder(params['decode_forward'], *start)
  temporal = (
    ((reverse - frames[:, ::-1]) ** 2).mean() + ((forward - frames) ** 2).mean()
  ) / 2
  rebuilt = mlp(params['decode_mean'], b)
  appearance = ((rebuilt - frames.mean(1)) ** 2).mean()
  np.testing.assert_allclose(terms['mean'], appearance, rtol=1e-9)
  np.testing.assert_allclose(loss, (temporal + appearance) / 2, rtol=1e-9)
