"""What the NumPy halves of the methods' tests share, and random parameters."""

import jax
import numpy as np


def sigmoid(x):
  return 1 / (1 + np.exp(-x))


def sign(x):
  return np.where(x >= 0, 1.0, -1.0)


def softmax(x):
  x = np.exp(x - x.max(axis=-1, keepdims=True))
  return x / x.sum(axis=-1, keepdims=True)


def unit(x):
  return x / np.linalg.norm(x, axis=-1, keepdims=True)


def dense(p, x):
  return x @ p['kernel'] + p.get('bias', 0)


def lstm_step(p, c, h, x=None):
  """The next c and h of references [29, 30]."""
  gates = h @ p['recurrent_kernel'] + p['bias']
  if x is not None:
    gates = gates + x @ p['input_kernel']
  i, f, g, o = np.split(gates, 4, axis=1)
  c = sigmoid(f) * c + sigmoid(i) * np.tanh(g)
  return c, sigmoid(o) * np.tanh(c)


def lstm_states(p, frames):
  """Every hidden state [B, M, H], from zeros."""
  c = h = np.zeros((len(frames), len(p['recurrent_kernel'])))
  states = []
  for t in range(frames.shape[1]):
    c, h = lstm_step(p, c, h, frames[:, t])
    states.append(h)
  return np.stack(states, axis=1)


def state(init, *arguments):
  """Random parameters and zero collections of the shapes that `init` makes."""
  params, collections = jax.eval_shape(init, *arguments)
  draw = np.random.default_rng(1)
  params = jax.tree.map(lambda x: draw.normal(size=x.shape) / 2, params)
  zeros = jax.tree.map(lambda x: np.zeros(x.shape, x.dtype), collections)
  return params, zeros


def assert_slopes(gradient, value, params, entries, step=1e-6, **tolerance):
  """That a gradient's entries are the central differences of `value`.

  Args:
    gradient: of the parameters, a tree of dicts.
    value: function of such a tree, in NumPy.
    params: where the slope is.
    entries: (path, index) of each entry, the path's names joined by '/'.
    step: of the differences.
    **tolerance: of numpy's assert_allclose.
  """
  for path, index in entries:
    values = []
    for change in (step, -step):
      moved = jax.tree.map(lambda x: np.array(x, np.float64), params)
      _leaf(moved, path)[index] += change
      values.append(value(moved))
    np.testing.assert_allclose(
      _leaf(gradient, path)[index],
      (values[0] - values[1]) / (2 * step),
      **{'rtol': 1e-5, 'atol': 1e-8, **tolerance},
    )


def _leaf(tree, path):
  for name in path.split('/'):
    tree = tree[name]
  return tree
