"""NPH as one would write it in PyTorch: the yardstick of the benchmark.

From the paper's equations with nn.Linear, nn.LSTMCell and a Python loop over
frames, in eager mode; nothing is tuned and nothing is left out.
"""

import numpy as np
import torch
from torch import nn


class Sign(torch.autograd.Function):
  """Eq. 2 with BinaryNet's gradient."""

  @staticmethod
  def forward(ctx, t):
    ctx.save_for_backward(t)
    return torch.where(t >= 0, 1.0, -1.0)

  @staticmethod
  def backward(ctx, gradient):
    (t,) = ctx.saved_tensors
    return gradient * (t.abs() <= 1)


class NPH(nn.Module):
  """Eq. 1-11 and the decoder; widths as in section 4.1."""

  def __init__(self, num_bits, num_frames, frame_dim, num_nearest, width=256):
    super().__init__()
    self.num_frames, self.width = num_frames, width
    self.neighborhood = nn.Linear(num_nearest * width, width)
    self.embed = nn.Linear(frame_dim, width)
    self.dropout = nn.Dropout(0.1)
    self.query = nn.Linear(width, width, bias=False)
    self.key = nn.Linear(width, width, bias=False)
    self.value = nn.Linear(width, width, bias=False)
    self.gates_v = nn.Linear(frame_dim, 3 * width)
    self.gates_h = nn.Linear(width, 3 * width, bias=False)
    self.mlp = nn.Sequential(
      nn.Linear(width, width), nn.ReLU(), nn.Linear(width, width)
    )
    self.norm = nn.ModuleList(
      nn.BatchNorm1d(width, momentum=0.01) for _ in range(num_frames)
    )
    self.hash_layer = nn.Linear(width, num_bits)
    self.first_frame = nn.Linear(num_bits, frame_dim)
    self.decoder = nn.LSTMCell(frame_dim, width)
    self.output = nn.Linear(width, frame_dim)
    self.rebuild = nn.Linear(width, width)

  def encode(self, frames, nearest):
    """t [B, K], the last memory and n [B, width]."""
    n = memory = self.neighborhood(nearest.flatten(1))
    cell = hidden = torch.zeros_like(memory)
    for step in range(self.num_frames):
      v = frames[:, step]
      x = self.dropout(self.embed(v))
      rows = torch.stack([memory, x], dim=1)
      query = self.query(memory)[:, None]
      scores = query @ self.key(rows).transpose(1, 2) / self.width**0.5
      memory = (scores.softmax(-1) @ self.value(rows))[:, 0]
      gates = torch.sigmoid(self.gates_v(v) + self.gates_h(hidden))
      i, f, o = gates.chunk(3, dim=1)
      cell = self.norm[step](f * cell + i * self.mlp(memory))
      hidden = o * torch.tanh(cell)
    return self.hash_layer(hidden), memory, n

  def forward(self, frames, nearest):
    """t, b, the rebuilt frames, n and its reconstruction."""
    t, memory, n = self.encode(frames, nearest)
    b = Sign.apply(t)
    frame, state, rebuilt = self.first_frame(b), None, []
    for _ in range(self.num_frames):
      state = self.decoder(frame, state)
      frame = self.output(state[0])
      rebuilt.append(frame)
    return t, b, torch.stack(rebuilt, dim=1), n, self.rebuild(memory)


class Autoencoder(nn.Module):
  """The LSTM autoencoder; `features` yields y."""

  def __init__(self, frame_dim, width=256):
    super().__init__()
    self.lstm = nn.LSTMCell(frame_dim, width)

  def features(self, frames):
    """y [B, width] by a loop over frames [B, M, L]."""
    state = None
    for step in range(frames.shape[1]):
      state = self.lstm(frames[:, step], state)
    return state[0]


def hash_videos(frames, autoencoder, model, anchors, num_nearest):
  """Packed codes uint8 [B, K / 8] of frames [B, M, L], `model` in eval mode."""
  distances = torch.cdist(autoencoder.features(frames), anchors)
  nearest = anchors[distances.topk(num_nearest, largest=False).indices]
  relaxed = model.encode(frames, nearest)[0]
  return np.packbits((relaxed >= 0).cpu().numpy(), axis=1)


def loss(outputs, frames, anchor_indices):
  """L of eq. 12 over all pairs of the batch."""
  t, b, rebuilt, n, n_rebuilt = outputs
  equal = anchor_indices[:, None, :, None] == anchor_indices[None, :, None, :]
  similarity = torch.where(equal.flatten(2).any(-1), 1.0, -1.0)
  l_s = ((similarity - t @ t.T / t.shape[1]) ** 2).mean()
  l_s = l_s + ((b.detach() - t) ** 2).mean()
  l_vr = ((frames - rebuilt) ** 2).mean()
  l_nr = ((n - n_rebuilt) ** 2).mean()
  return 0.1 * l_s + 0.8 * l_vr + 0.1 * l_nr
