"""Neighborhood Preserving Hashing: section 3 of the paper, put together."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

import jax
from flax import linen as nn

from nph_jax.models import hashing, initializers, lstm
from nph_jax.models.decoder import FrameDecoder
from nph_jax.models.encoder import NeighborhoodEncoder


class Outputs(NamedTuple):
  """What the losses read.

  relaxed_code t and binary_code b [B, K]; reconstruction v~ [B, M, L];
  neighborhood n and neighborhood_reconstruction n~ [B, Nb].
  """

  relaxed_code: jax.Array
  binary_code: jax.Array
  reconstruction: jax.Array
  neighborhood: jax.Array
  neighborhood_reconstruction: jax.Array


class NPH(nn.Module):
  """Encoder, sign, decoder and the reconstruction of the neighbourhood.

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
    literal, precision: see NeighborhoodEncoder.
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

  def setup(self):
    self.neighborhood = _dense(self.memory_width)
    self.encoder = NeighborhoodEncoder(
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
    self.reconstruct_neighborhood = _dense(self.memory_width)

  def encode(
    self, frames: jax.Array, nearest: jax.Array, train: bool = False
  ) -> tuple[jax.Array, jax.Array, jax.Array]:
    """Relaxed code t [B, K], last memory [B, Nb], neighbourhood n [B, Nb].

    Args:
      frames: v, [B, M, L].
      nearest: the a nearest anchors, nearest first, [B, A, D].
      train: see NeighborhoodEncoder.
    """
    neighborhood = self.neighborhood(
      nearest.reshape(nearest.shape[0], -1)
    )  # 11
    state = self.encoder(frames, neighborhood, train)
    return self.hash_layer(state.hidden), state.memory, neighborhood  # eq. 10

  def __call__(
    self, frames: jax.Array, nearest: jax.Array, train: bool = False
  ) -> Outputs:
    """Everything that the losses need; arguments as `encode`."""
    relaxed, memory, neighborhood = self.encode(frames, nearest, train)
    binary = hashing.sign_ste(relaxed, self.sign_window)  # eq. 2
    state = lstm.zero_state(frames.shape[0], self.hidden_width, relaxed.dtype)
    return Outputs(
      relaxed,
      binary,
      self.decoder(self.first_frame(binary), state),
      neighborhood,
      self.reconstruct_neighborhood(memory),
    )


def _dense(width: int) -> nn.Dense:
  return nn.Dense(width, kernel_init=initializers.xavier)
