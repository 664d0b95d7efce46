"""NPH's encoders, decoder and losses in NumPy, from the paper's equations."""

import numpy as np
from basics import dense, lstm_states, lstm_step, sigmoid, sign


def normalize(p, x, epsilon=1e-5):
  """With the statistics of all rows of x [..., H], gamma and beta [H]."""
  rows = x.reshape(-1, x.shape[-1])
  x = (x - rows.mean(0)) / np.sqrt(rows.var(0) + epsilon)
  return x * p['gamma'] + p['beta']


def normalized_lstm(p, frames):
  """The last hidden state, the cell normalised at each frame."""
  h = c = np.zeros((len(frames), len(p['recurrent_kernel'])))
  for t in range(frames.shape[1]):
    gates = frames[:, t] @ p['input_kernel'] + h @ p['recurrent_kernel']
    i, f, g, o = np.split(gates + p['bias'], 4, axis=1)
    norm = {name: value[t] for name, value in p['norm'].items()}
    c = normalize(norm, sigmoid(f) * c + sigmoid(i) * np.tanh(g))
    h = sigmoid(o) * np.tanh(c)
  return h


def last_state(p, frames):
  return lstm_states(p['cell']['gates'], frames)[:, -1]


def convolution(p, frames):
  """Two convolutions over three frames, ReLU, mean; tap by tap."""
  for number in range(2):
    layer = p[f'convolution_{number}']
    kernel = layer['kernel']
    bias = layer.get('bias', np.zeros(kernel.shape[-1]))
    size = frames.shape[1]
    out = np.zeros((len(frames), size, len(bias))) + bias
    for t in range(size):
      for offset in (-1, 0, 1):
        if 0 <= t + offset < size:
          out[:, t] += frames[:, t + offset] @ kernel[offset + 1]
    norm = p.get(f'norm_{number}')
    if norm:
      out = normalize({k: v[0] for k, v in norm.items()}, out)
    frames = np.maximum(out, 0)
  return frames.mean(axis=1)


def attention(p, memory, frame, scale):
  """Eq. 3, video by video, as matrices."""
  out = []
  for m, v in zip(memory, frame):
    rows = np.stack([m, v])
    scores = (m @ p['query']['kernel']) @ (rows @ p['key']['kernel']).T
    weights = np.exp(scores / np.sqrt(scale))
    weights /= weights.sum()
    out.append(weights @ (rows @ p['value']['kernel']))
  return np.array(out)


def neighborhood_lstm(p, frames, memory, scale, epsilon=1e-5):
  """Eq. 3-9: every hidden state [B, M, H] and the last memory."""
  cell, norm = p['cell'], p['norm']
  gates = cell['gates']
  c = h = np.zeros((len(frames), len(gates['recurrent_kernel'])))
  states = []
  for t in range(frames.shape[1]):
    v = frames[:, t]
    linear = v @ gates['input_kernel'] + h @ gates['recurrent_kernel']
    i, f, o = (sigmoid(x) for x in np.split(linear + gates['bias'], 3, axis=1))
    memory = attention(
      cell['attention'], memory, dense(cell['embed'], v), scale
    )
    mlp = dense(cell['mlp_1'], np.maximum(dense(cell['mlp_0'], memory), 0))
    c = f * c + i * mlp
    c = (c - c.mean(0)) / np.sqrt(c.var(0) + epsilon)
    c = c * norm['gamma'][t] + norm['beta'][t]
    h = o * np.tanh(c)
    states.append(h)
  return np.stack(states, axis=1), memory


def encode(name, p, frames, nearest, scale):
  """Representation, n and last memory by NumPy, as section 4.2 has them."""
  flat = nearest.reshape(len(frames), -1)
  if name in ('fullcnn', 'fullcnn_bn'):
    return convolution(p['encoder'], frames), None, None
  if name == 'plain':
    return last_state(p['encoder']['lstm'], frames), None, None
  if name == 'plain_bn':
    return normalized_lstm(p['encoder'], frames), None, None
  if 'first_memory' in p['encoder']:
    n = None
    first = np.stack([p['encoder']['first_memory']] * len(frames))
  else:
    n = first = dense(p['neighborhood'], flat)  # eq. 11
  lower = p['encoder'].get('lower', p['encoder'])
  states, memory = neighborhood_lstm(lower, frames, first, scale)
  video = states[:, -1]
  if name == 'nph_hierarchical':
    last = frames.shape[1] - 1
    kept = [t for t in range(last + 1) if (last - t) % 2 == 0]
    video = last_state(p['encoder']['upper']['lstm'], states[:, kept])
  if name == 'neibcat':
    video = np.concatenate([video, flat], axis=1)
  return video, n, memory


def decode(p, frame, num_frames, c=0.0, h=0.0):
  """The free-running decoder of section 3.2; c and h [B, H], or zero."""
  gates, output = p['cell']['lstm']['gates'], p['cell']['output']
  zeros = np.zeros((len(frame), len(gates['recurrent_kernel'])))
  c, h, frames = zeros + c, zeros + h, []
  for _ in range(num_frames):
    c, h = lstm_step(gates, c, h, frame)
    frame = dense(output, h)
    frames.append(frame)
  return np.stack(frames, axis=1)


def similarity_loss(t, ids):
  """Eq. 15 by loops over pairs."""
  size, bits = t.shape
  b = sign(t)
  total = ((b - t) ** 2).sum() / (bits * size)
  for i in range(size):
    for j in range(size):
      s = 1 if set(ids[i]) & set(ids[j]) else -1
      total += (s - t[i] @ t[j] / bits) ** 2 / size**2
  return total


def terms(name, p, batch, tables, scale):
  """Each term of the loss that parameters `p` have, whatever its weight."""
  v, ids = batch['frames'], np.asarray(tables['anchor_indices'])[batch['index']]
  nearest = np.asarray(tables['anchors'])[ids]
  video, n, memory = encode(name, p, v, nearest, scale)
  t = dense(p['hash_layer'], video)  # eq. 10
  b = sign(t)  # eq. 2
  rebuilt = decode(p['decoder'], dense(p['first_frame'], b), v.shape[1])
  found = {
    'similarity': similarity_loss(t, ids),
    'quantization': ((b - t) ** 2).mean(),
    'visual': ((v - rebuilt) ** 2).mean(),  # eq. 16
  }
  if 'reconstruct_neighborhood' in p:
    n_rebuilt = dense(p['reconstruct_neighborhood'], memory)
    found['neighborhood'] = ((n - n_rebuilt) ** 2).mean()  # eq. 17
  return found
