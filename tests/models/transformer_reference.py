"""Transformer, masked views and contrast in float64 NumPy, from definitions."""

import math
import operator

import jax
import numpy as np

erf = np.vectorize(math.erf)


def sign(x):
  return np.where(x >= 0, 1.0, -1.0)


def gelu(x):
  return x * (1 + erf(x / np.sqrt(2))) / 2


def dense(p, x):
  return x @ p['kernel'] + p.get('bias', 0)


def layer_norm(p, x, epsilon=1e-6):
  mean = x.mean(axis=-1, keepdims=True)
  variance = ((x - mean) ** 2).mean(axis=-1, keepdims=True)
  return (x - mean) / np.sqrt(variance + epsilon) * p['scale'] + p['bias']


def softmax(x):
  x = np.exp(x - x.max(axis=-1, keepdims=True))
  return x / x.sum(axis=-1, keepdims=True)


def attention(p, x, num_heads):
  """Of one video's rows x [T, H], head by head."""
  q, k, v = (dense(p[name], x) for name in ('query', 'key', 'value'))
  width = q.shape[1] // num_heads
  heads = []
  for head in range(num_heads):
    part = slice(head * width, (head + 1) * width)
    weights = softmax(q[:, part] @ k[:, part].T / np.sqrt(width))
    heads.append(weights @ v[:, part])
  return dense(p['out'], np.concatenate(heads, axis=1))


def block(p, z, num_heads):
  z = z + attention(
    p['Attention_0'], layer_norm(p['LayerNorm_0'], z), num_heads
  )
  inner = gelu(dense(p['Dense_0'], layer_norm(p['LayerNorm_1'], z)))
  return z + dense(p['Dense_1'], inner)


def layers(stacked):
  """The parameters of each block of a stack."""
  count = len(jax.tree.leaves(stacked)[0])
  return [jax.tree.map(operator.itemgetter(i), stacked) for i in range(count)]


def sine_table(length, width):
  table = np.zeros((length, width))
  for t in range(length):
    for i in range(0, width, 2):
      table[t, i] = math.sin(t / 10_000 ** (i / width))
      if i + 1 < width:
        table[t, i + 1] = math.cos(t / 10_000 ** (i / width))
  return table


def unit(x):
  return x / np.linalg.norm(x, axis=-1, keepdims=True)


def debiased_contrast(u, w, prior, temperature):
  z, count = unit(np.concatenate([u, w])), len(u)
  total = 0.0
  for i in range(2 * count):
    partner = (i + count) % (2 * count)
    p = math.exp(z[i] @ z[partner] / temperature)
    others = [j for j in range(2 * count) if j not in (i, partner)]
    s = sum(math.exp(z[i] @ z[j] / temperature) for j in others)
    n = len(others)
    g = max((s - prior * n * p) / (1 - prior), n * math.exp(-1 / temperature))
    total -= math.log(p / (p + g))
  return total / (2 * count)
