"""SSTH's, JTAE's and SSVH's parts in float64 NumPy, from their definitions."""

import jax
import numpy as np
from basics import lstm_step, sigmoid, sign


def loss(method, params, collections, batch, tables):
  """The method's loss, its terms and collections, compiled."""
  run = jax.jit(lambda *a: method.loss(*a, None, None))
  value, (terms, after) = run(params, collections, batch, tables)
  return value, terms, after


def gradient(method, params, collections, batch, tables):
  run = jax.jit(jax.grad(lambda *a: method.loss(*a, None, None)[0]))
  return run(params, collections, batch, tables)


def binary_lstm(p, frames, binary, epsilon=1e-5, moments=None):
  """Last cell, last t, every h, and the moments that normalised.

  With `moments`, a list of (mean, variance), those normalise.
  """
  width = p['recurrent_kernel'].shape[0]
  c = h = np.zeros((len(frames), width))
  every, used = [], []
  p_i, p_f, p_o = p['peepholes']
  for t in range(frames.shape[1]):
    gates = frames[:, t] @ p['input_kernel'] + h @ p['recurrent_kernel']
    i, f, g, o = np.split(gates + p['bias'], 4, axis=1)
    c = sigmoid(f + p_f * c) * c + sigmoid(i + p_i * c) * np.tanh(g)
    mean, variance = (c.mean(0), c.var(0)) if moments is None else moments[t]
    used.append((mean, variance))
    c = (c - mean) / np.sqrt(variance + epsilon)
    c = c * p['norm']['gamma'][t] + p['norm']['beta'][t]
    relaxed = sigmoid(o + p_o * c) * c
    h = sign(relaxed) if binary else relaxed
    every.append(h)
  return c, relaxed, np.stack(every, axis=1), used


def free_decoder(p, c, h, num_frames, stride=0):
  """Frames in the order written, [B, M, L]."""
  frames = []
  low_c = low_h = np.zeros_like(h)
  for _ in range(num_frames // (stride or 1)):
    c, h = lstm_step(p['states'], c, h)
    states = [] if stride else [h]
    for _ in range(stride):
      low_c, low_h = lstm_step(p['lower'], low_c, low_h, h)
      states.append(low_h)
    frames += [s @ p['output_kernel'] + p['output_bias'] for s in states]
  return np.stack(frames, axis=1)


def autoencoder(p, frames, stride):
  """t, and the reverse, forward and mean sums of squared errors."""
  read = frames
  if stride:
    read = frames[:, : frames.shape[1] // stride * stride]
  inputs = read
  if stride:
    _, _, states, _ = binary_lstm(p['lower'], read, binary=False)
    inputs = states[:, stride - 1 :: stride]
  c, relaxed, _, _ = binary_lstm(p['encoder'], inputs, binary=True)
  start = (c, sign(relaxed), read.shape[1], stride)
  reverse = free_decoder(p['decode_reverse'], *start)
  forward = free_decoder(p['decode_forward'], *start)
  mean = free_decoder(p['decode_mean'], *start)
  return relaxed, {
    'reverse': ((reverse - read[:, ::-1]) ** 2).sum(),
    'forward': ((forward - read) ** 2).sum(),
    'mean': ((mean - read).mean(axis=1) ** 2).sum(),
  }
