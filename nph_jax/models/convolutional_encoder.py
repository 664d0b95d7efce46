"""FullCNN's encoder: temporal convolutions and a mean pool; normalised."""

from __future__ import annotations

import dataclasses
from typing import ClassVar

import jax
import jax.numpy as jnp
from flax import linen as nn

from nph_jax.models import initializers
from nph_jax.models.encoder import Encoded, Encoder
from nph_jax.models.normalization import RunningMoments, normalize_step
from nph_jax.models.precision import matmul

NUM_LAYERS = 2
KERNEL_SIZE = 3


class TemporalConvolution(nn.Module):
  """A convolution over the frames of a video, zero-padded to keep their number.

  Attributes:
    width: output channels, H.
    precision: of the products.
    use_bias: not where a normalisation takes it off again.
  """

  width: int
  precision: str = 'float32'
  use_bias: bool = True

  @nn.compact
  def __call__(self, frames: jax.Array) -> jax.Array:
    """Returns [B, M, H] from frames [B, M, L]."""
    num_frames, channels = frames.shape[1:]
    shape = (KERNEL_SIZE, channels, self.width)
    kernel = self.param('kernel', initializers.xavier, shape)
    # One large product for all taps, then shifted sums.
    joined = jnp.concatenate(list(kernel), axis=1)
    taps = matmul(frames, joined, self.precision)
    margin = KERNEL_SIZE // 2
    taps = jnp.pad(taps, ((0, 0), (margin, margin), (0, 0)))
    shifted = (
      tap[:, offset : offset + num_frames]
      for offset, tap in enumerate(jnp.split(taps, KERNEL_SIZE, axis=-1))
    )
    if not self.use_bias:
      return sum(shifted)
    bias = self.param('bias', nn.initializers.zeros, (self.width,))
    return sum(shifted) + bias


class ConvolutionalEncoder(Encoder):
  """Two convolutions of H channels over three frames, ReLU, mean over frames.

  The paper says no more than "fully convolutional networks [51]". Reference
  [51] (Ng et al., CVPR 2015) pools convolutional features over time; in its
  time-domain convolution one such layer stands before the pool. A second one
  lets a feature see five frames; the mean stands for the pool, so that every
  frame of a short video counts. No normalisation and no dropout.
  """

  normalized: ClassVar[bool] = False

  @nn.compact
  def __call__(
    self, frames: jax.Array, neighborhood: jax.Array | None, train: bool
  ) -> Encoded:
    """Reads frames [B, M, L] alone; see Encoder."""
    del neighborhood
    for layer in range(NUM_LAYERS):
      convolution = TemporalConvolution(
        self.config.hidden_width,
        self.config.precision,
        not self.normalized,
        name=f'convolution_{layer}',
      )
      rows = convolution(frames)
      normed = self._normed(rows, layer, train) if self.normalized else rows
      frames = nn.relu(normed).reshape(rows.shape)
    return Encoded(frames.mean(axis=1))

  def _normed(self, rows: jax.Array, layer: int, train: bool) -> jax.Array:
    """[B, M, H] as [B M, H], over videos and frames together."""
    norm = dataclasses.replace(self.config.norm, per_step=False)
    width = rows.shape[-1]
    running = RunningMoments(1, width, norm, name=f'norm_{layer}')
    normed, used = normalize_step(
      rows.reshape(-1, width),
      jax.tree.map(lambda x: x[0], running.parameters()),
      norm.epsilon,
      train,
      self.axis_name,
    )
    if train:
      running.update(*(x[None] for x in used))
    return normed


class NormalizedConvolutionalEncoder(ConvolutionalEncoder):
  """FullCNN with each convolution normalised before its ReLU.

  Over videos and frames together: a convolution is the same at every frame.
  """

  normalized = True
