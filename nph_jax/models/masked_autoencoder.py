"""The network of ConMH, and of S5VH with other blocks.

A frame's feature is mapped to H, its place in the video added (a sine table),
and the visible frames go through a stack of blocks, each frame to K values,
normalised over the K bits of that frame, whose signs are the frame's code. The
decoder reads the codes of the visible frames and as many mask tokens as frames
are missing, again with their places, and predicts the missing ones. A video's
relaxed code is the mean of its frames' codes.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from flax import linen as nn

from nph_jax.models import hashing, initializers, masked_views, transformer
from nph_jax.models.linear_frames import LinearFrames
from nph_jax.models.masked_views import Views
from nph_jax.models.method import HashingModule
from nph_jax.models.recurrence import frames_first


class Outputs(NamedTuple):
  """What the losses read of R views.

  codes h [R, B, K], each the mean of its frames' signs; reconstruction of the
  masked frames [R B, M - V, L].
  """

  codes: jax.Array
  reconstruction: LinearFrames


class Learned(nn.Module):
  """One learned array, only made where it is asked for."""

  shape: tuple[int, ...]
  initializer: nn.initializers.Initializer = nn.initializers.zeros

  @nn.compact
  def __call__(self) -> jax.Array:
    """The array."""
    return self.param('value', self.initializer, self.shape)


class HashNorm(nn.LayerNorm):
  """The last map to t: over a frame's bits, their scale and shift learned."""

  epsilon: float = 1e-5
  use_fast_variance: bool = False

  def __call__(self, inputs: jax.Array) -> jax.Array:
    """t [..., K] of [..., K]; see hashing.begun."""
    return hashing.begun(self, super().__call__(inputs))


class MaskedAutoencoder(HashingModule):
  """See the file's docstring.

  Attributes:
    encoder: makes the encoder's blocks, given a name.
    decoder: likewise the decoder's.
    decoder_width: H of the decoder.
    learned_positions: the decoder learns its places, from zeros on.
  """

  encoder: Callable[[], nn.Module]
  decoder: Callable[[], nn.Module]
  decoder_width: int = 192
  learned_positions: bool = False

  def setup(self):
    def dense(width, **fields):
      precision = self.config.precision
      return transformer.Dense(width, precision=precision, **fields)

    hidden = self.config.hidden_width
    self.embed = dense(hidden)
    self.blocks = self.encoder()
    self.encoder_norm = transformer.layer_norm()
    self.encoded = dense(hidden)
    self.to_bits = dense(self.num_bits, kernel_init=initializers.torch)
    self.hash_layer = HashNorm()
    width = self.decoder_width
    self.decode_code = dense(
      width, use_bias=False, kernel_init=initializers.torch
    )
    short = nn.initializers.truncated_normal(0.02)
    self.decode_mask = Learned((width,), short)
    self.decode_positions = Learned((self.num_frames, width))
    self.decode_blocks = self.decoder()
    self.decode_norm = transformer.layer_norm()
    self.decode_frames = transformer.Affine(self.frame_dim)

  def encode(self, frames: jax.Array) -> tuple[jax.Array]:
    """Relaxed code h [B, K] of frames [B, M, L], all of them visible."""
    signs = self._signs(self.embed(frames), self._places(frames.dtype))
    return (signs.mean(axis=1),)

  def _signs(
    self,
    embedded: jax.Array,
    places: jax.Array,
    factors: jax.Array | None = None,
  ) -> jax.Array:
    """The code of each frame [R B, V, K], of embedded frames and places."""
    z, _ = self.blocks(embedded + places, factors)
    t = self.hash_layer(self.to_bits(self.encoded(self.encoder_norm(z))))
    return hashing.sign_ste(t, self.config.sign_window)

  def _places(self, dtype) -> jax.Array:
    """[M, H]."""
    width = self.config.hidden_width
    return jnp.asarray(transformer.sine_table(self.num_frames, width), dtype)

  def __call__(
    self, frames: jax.Array, views: Views, factors: jax.Array | None = None
  ) -> Outputs:
    """Everything that the losses need of frames [B, M, L] in R views.

    Args:
      frames: v.
      views: of them.
      factors: what each encoder block reads beside them, one row a block.
    """
    count, videos, visible = views.visible.shape
    if count * visible < self.num_frames:
      embedded = self.embed(masked_views.take(frames, views.visible))
    else:  # each frame once
      embedded = masked_views.take(self.embed(frames), views.visible)
    places = _rows(self._places(frames.dtype), views.visible)
    signs = self._signs(embedded, places, factors)
    codes = signs.mean(axis=1).reshape(count, videos, self.num_bits)
    return Outputs(codes, self._reconstruct(signs, views))

  def _reconstruct(self, signs: jax.Array, views: Views) -> LinearFrames:
    if self.learned_positions:
      table = self.decode_positions()
    else:
      table = transformer.sine_table(self.num_frames, self.decoder_width)
    table = jnp.asarray(table, signs.dtype)
    read = self.decode_code(signs) + _rows(table, views.visible)
    asked = self.decode_mask() + _rows(table, views.masked)
    z, _ = self.decode_blocks(jnp.concatenate([read, asked], axis=1), None)
    hidden = frames_first(self.decode_norm(z[:, read.shape[1] :]))
    kernel, bias = self.decode_frames(self.decoder_width)
    return LinearFrames(hidden, kernel, bias, self.config.precision)


def _rows(table: jax.Array, frames: jax.Array | np.ndarray) -> jax.Array:
  """Of table [M, H] the rows of frames [R, B, V], [R B, V, H]."""
  return table[frames.reshape(-1, frames.shape[-1])]
