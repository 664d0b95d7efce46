"""Transformer, masked views and contrast in float64 NumPy, from definitions."""

import math
import operator

import jax
import numpy as np
from basics import dense, sign, softmax, unit

erf = np.vectorize(math.erf)


def gelu(x):
  return x * (1 + erf(x / np.sqrt(2))) / 2


def layer_norm(p, x, epsilon=1e-6):
  mean = x.mean(axis=-1, keepdims=True)
  variance = ((x - mean) ** 2).mean(axis=-1, keepdims=True)
  return (x - mean) / np.sqrt(variance + epsilon) * p['scale'] + p['bias']


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


def frame_codes(p, frames, visible, block):
  """Signs [V, K] of the visible ones of one video's frames [M, L]."""
  z = dense(p['embed'], frames[visible])
  z = z + sine_table(len(frames), z.shape[1])[visible]
  for layer in layers(p['blocks']):
    z = block(layer, z)
  z = layer_norm(p['encoder_norm'], z)
  values = dense(p['to_bits'], dense(p['encoded'], z))
  return sign(layer_norm(p['hash_layer'], values, 1e-5))


def predictions(p, signs, visible, masked, block):
  """Of a video's masked frames [M - V, L]."""
  read = dense(p['decode_code'], signs)
  table = sine_table(len(visible) + len(masked), read.shape[1])
  table = p.get('decode_positions', {'value': table})['value']
  z = np.concatenate(
    [read + table[visible], p['decode_mask']['value'] + table[masked]]
  )
  for layer in layers(p['decode_blocks']):
    z = block(layer, z)
  z = layer_norm(p['decode_norm'], z)[len(visible) :]
  return dense(p['decode_frames'], z)


def of_views(p, videos, views, encode, decode):
  """h [R, B, K] and the error of the masked frames, views added."""
  codes, error = [], 0.0
  for visible, masked in zip(np.array(views.visible), np.array(views.masked)):
    signs = [frame_codes(p, v, s, encode) for v, s in zip(videos, visible)]
    codes.append(np.array([s.mean(axis=0) for s in signs]))
    rebuilt = [predictions(p, *x, decode) for x in zip(signs, visible, masked)]
    targets = [v[m] for v, m in zip(videos, masked)]
    error += ((np.array(rebuilt) - np.array(targets)) ** 2).mean()
  return codes, error


def whole_codes(p, videos, block):
  """h [B, K] of all frames."""
  every = np.arange(videos.shape[1])
  return np.array(
    [frame_codes(p, v, every, block).mean(axis=0) for v in videos]
  )


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
