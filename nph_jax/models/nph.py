"""Neighborhood Preserving Hashing: section 3 of the paper, put together."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from flax import linen as nn

from nph_jax.models import hashing, initializers, lstm
from nph_jax.models.decoder import FrameDecoder
from nph_jax.models.encoder import Encoder, NeighborhoodEncoder
from nph_jax.models.linear_frames import LinearFrames
from nph_jax.models.log_covariance import LogCovarianceCode


class Code(NamedTuple):
  """What `encode` returns.

  relaxed_code t [B, K]; the last memory and neighborhood n [B, Nb], None where
  the module has none; change, the learned part of t [B, K] where another part
  is fixed, else None.
  """

  relaxed_code: jax.Array
  memory: jax.Array | None
  neighborhood: jax.Array | None
  change: jax.Array | None


class Outputs(NamedTuple):
  """What the losses read.

  relaxed_code t and binary_code b [B, K]; reconstruction v~ [B, M, L];
  neighborhood n and neighborhood_reconstruction n~ [B, Nb], None where the
  module has none; change: see Code.
  """

  relaxed_code: jax.Array
  binary_code: jax.Array
  reconstruction: jax.Array | LinearFrames
  neighborhood: jax.Array | None
  neighborhood_reconstruction: jax.Array | None
  change: jax.Array | None = None


class NPH(nn.Module):
  """Encoder, sign, decoder and the reconstruction of the neighbourhood.

  The last fields are what the ablations (`ablations.py`) and `tuned` differ in.

  Attributes:
    num_bits: K.
    num_frames: M.
    frame_dim: L.
    memory_width: Nb, the paper's b.
    hidden_width: H of encoder and decoder.
    attention: scale d^k, num_heads, residual.
    mlp_layers: of eq. 8.
    dropout_rate: on the projected frames.
    forget_bias, recurrent_init: of both LSTMs.
    norm: batch normalisation of eq. 8.
    sign_window: of the straight-through gradient.
    axis_name: devices' axis under pmap.
    literal, precision: see encoder.Encoder.
    encoder_type: of the frames.
    reconstructs_neighborhood: whether there is an n~ for L_nr; for encoders
      that read n.
    concatenates_nearest: whether the hash layer reads the nearest anchors
      beside the encoded video.
    adds_linear_code: whether what is learned is added to log_covariance's
      linear code.
  """

  num_bits: int
  num_frames: int
  frame_dim: int
  memory_width: int
  hidden_width: int
  attention: Mapping[str, Any]
  mlp_layers: int
  dropout_rate: float
  forget_bias: float
  recurrent_init: str
  norm: Mapping[str, Any]
  sign_window: float = 1.0
  axis_name: str | None = None
  literal: bool = False
  precision: str = 'float32'
  encoder_type: type[Encoder] = NeighborhoodEncoder
  reconstructs_neighborhood: bool = True
  concatenates_nearest: bool = False
  adds_linear_code: bool = False

  @property
  def reads_nearest(self) -> bool:
    """Whether codes depend on the nearest anchors."""
    return self.encoder_type.reads_neighborhood or self.concatenates_nearest

  def setup(self):
    if self.encoder_type.reads_neighborhood:
      self.neighborhood = _dense(self.memory_width)
    self.encoder = self.encoder_type(
      self.num_frames,
      self.hidden_width,
      self.memory_width,
      self.attention,
      self.mlp_layers,
      self.dropout_rate,
      self.forget_bias,
      self.recurrent_init,
      self.norm,
      self.axis_name,
      self.literal,
      self.precision,
    )
    self.hash_layer = _dense(self.num_bits)
    if self.adds_linear_code:
      self.linear_code = LogCovarianceCode(self.num_bits)
    self.first_frame = _dense(self.frame_dim)
    self.decoder = FrameDecoder(
      self.num_frames,
      self.frame_dim,
      self.hidden_width,
      self.forget_bias,
      self.recurrent_init,
      self.literal,
      self.precision,
    )
    if self.reconstructs_neighborhood:
      self.reconstruct_neighborhood = _dense(self.memory_width)

  def encode(
    self, frames: jax.Array, nearest: jax.Array | None, train: bool = False
  ) -> Code:
    """The code of videos, and what it was made from.

    Args:
      frames: v, [B, M, L].
      nearest: the a nearest anchors, nearest first, [B, A, D]; None unless
        `reads_nearest`.
      train: see encoder.Encoder.
    """
    if self.reads_nearest:
      nearest = nearest.reshape(nearest.shape[0], -1)
    neighborhood = None
    if self.encoder_type.reads_neighborhood:
      neighborhood = self.neighborhood(nearest)  # eq. 11
    encoded = self.encoder(frames, neighborhood, train)
    video = encoded.video
    if self.concatenates_nearest:
      video = jnp.concatenate([video, nearest], axis=-1)
    relaxed, change = self.hash_layer(video), None  # eq. 10
    if self.adds_linear_code:
      start, learned = self.linear_code(frames)
      change = relaxed + learned
      relaxed = start + change
    return Code(relaxed, encoded.memory, neighborhood, change)

  def __call__(
    self, frames: jax.Array, nearest: jax.Array | None, train: bool = False
  ) -> Outputs:
    """Everything that the losses need; arguments as `encode`."""
    code = self.encode(frames, nearest, train)
    relaxed = code.relaxed_code
    binary = hashing.sign_ste(relaxed, self.sign_window)  # eq. 2
    state = lstm.zero_state(frames.shape[0], self.hidden_width, relaxed.dtype)
    rebuilt = None
    if self.reconstructs_neighborhood:
      rebuilt = self.reconstruct_neighborhood(code.memory)
    return Outputs(
      relaxed,
      binary,
      self.decoder(self.first_frame(binary), state),
      code.neighborhood,
      rebuilt,
      code.change,
    )


def _dense(width: int) -> nn.Dense:
  return nn.Dense(width, kernel_init=initializers.xavier)
