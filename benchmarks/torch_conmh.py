"""ConMH as one would write it in PyTorch: the yardstick of its step.

The network and the loss of nph_jax/models/conmh.py, eager, nothing tuned; the
attention is PyTorch's own.
"""

import torch
from torch import nn
from torch.nn import functional

from benchmarks.torch_nph import Sign
from nph_jax.models import transformer


class Block(nn.Module):
  """z += attention(LN z); z += MLP(LN z)."""

  def __init__(self, width, heads):
    super().__init__()
    self.heads, inner = heads, heads * (width // heads)
    self.norms = nn.ModuleList(nn.LayerNorm(width, 1e-6) for _ in range(2))
    self.qkv = nn.Linear(width, 3 * inner)
    self.out = nn.Linear(inner, width)
    self.mlp = nn.Sequential(
      nn.Linear(width, 4 * width), nn.GELU(), nn.Linear(4 * width, width)
    )

  def forward(self, z):
    """z [B, T, H], and so the result."""
    qkv = self.qkv(self.norms[0](z)).unflatten(-1, (3, self.heads, -1))
    read = functional.scaled_dot_product_attention(*qkv.permute(2, 0, 3, 1, 4))
    z = z + self.out(read.transpose(1, 2).flatten(2))
    return z + self.mlp(self.norms[1](z))


class ConMH(nn.Module):
  """Widths, heads and depths of the published network."""

  def __init__(self, num_bits, num_frames, frame_dim, masked, width=256):
    super().__init__()
    self.num_frames, self.masked, inner = num_frames, masked, 192
    for name, columns in (('places', width), ('decoder_places', inner)):
      table = torch.tensor(transformer.sine_table(num_frames, columns))
      self.register_buffer(name, table.float())
    self.embed = nn.Linear(frame_dim, width)
    self.encoder = nn.Sequential(
      *(Block(width, 6) for _ in range(12)),
      nn.LayerNorm(width, 1e-6),
      nn.Linear(width, width),
      nn.Linear(width, num_bits),
      nn.LayerNorm(num_bits),
    )
    self.decode_code = nn.Linear(num_bits, inner, bias=False)
    self.mask = nn.Parameter(0.02 * torch.randn(inner))
    self.decoder = nn.Sequential(*(Block(inner, 3) for _ in range(2)))
    self.output = nn.Sequential(
      nn.LayerNorm(inner, 1e-6), nn.Linear(inner, frame_dim)
    )

  def forward(self, frames):
    """h of two views [2, B, K], their missing frames rebuilt, and these."""
    visible, missing = self._views(len(frames))
    h = self.embed(_take(frames, visible)) + self.places[visible]
    b = Sign.apply(self.encoder(h))
    read = self.decode_code(b) + self.decoder_places[visible]
    asked = self.mask + self.decoder_places[missing]
    z = self.decoder(torch.cat([read, asked], dim=1))[:, read.shape[1] :]
    codes = b.mean(1).unflatten(0, (2, -1))
    return codes, self.output(z), _take(frames, missing)

  def _views(self, count):
    order = torch.rand(count, self.num_frames).argsort(1)
    seen, masked = self.num_frames - self.masked, self.masked
    visible = torch.cat([order[:, :seen], order[:, masked:]])
    missing = torch.cat([order[:, seen:], order[:, :masked]])
    return visible.sort(1).values, missing.sort(1).values


def _take(frames, numbers):
  rows = torch.arange(len(frames)).repeat(len(numbers) // len(frames))
  return frames[rows[:, None], numbers]


def loss(outputs, prior, temperature=0.5):
  """MSE of both views and the debiased contrast of their codes."""
  codes, rebuilt, targets = outputs
  rows = functional.normalize(codes, dim=-1).flatten(0, 1)
  videos = codes.shape[1]
  partner = (rows * rows.roll(videos, 0)).sum(-1).div(temperature).exp()
  numbers = torch.arange(2 * videos) % videos
  others = numbers[:, None] != numbers
  sums = ((rows @ rows.T / temperature).exp() * others).sum(1)
  count = 2 * videos - 2
  negative = (sums - prior * count * partner) / (1 - prior)
  least = count * torch.tensor(-1 / temperature).exp()
  contrast = torch.log1p(negative.maximum(least) / partner).mean()
  return 2 * functional.mse_loss(rebuilt, targets) + contrast
