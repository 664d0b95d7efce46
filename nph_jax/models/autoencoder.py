"""The LSTM autoencoder of reference [34], source of the spatial-temporal y."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any

import jax
import jax.numpy as jnp
from flax import linen as nn

from nph_jax.models import lstm
from nph_jax.models.config import RecurrentConfig
from nph_jax.models.decoder import FrameDecoder
from nph_jax.models.linear_frames import LinearFrames, mean_squared_error
from nph_jax.models.lstm_encoder import LastState


class Autoencoder(nn.Module):
  """Reads the frames into y, then writes them from y in reverse order.

  Attributes:
    width: D, width of both LSTMs and of y.
    num_frames: M.
    frame_dim: L.
    reverse: reconstruct the last frame first, as [34] does.
    copy_cell: whether the decoder also starts from the encoder's cell state
      ([34] copies both); without it y alone has to hold the video, and y is
      all that the neighbourhood is built from.
    forget_bias, recurrent_init, literal, precision: see RecurrentConfig.
  """

  width: int
  num_frames: int
  frame_dim: int
  reverse: bool = True
  copy_cell: bool = False
  forget_bias: float = 1.0
  recurrent_init: str = 'xavier'
  literal: bool = False
  precision: str = 'float32'

  def setup(self):
    config = RecurrentConfig(
      hidden_width=self.width,
      forget_bias=self.forget_bias,
      recurrent_init=self.recurrent_init,
      literal=self.literal,
      precision=self.precision,
    )
    self.encoder = LastState(config)
    self.decoder = FrameDecoder(self.num_frames, self.frame_dim, config)

  def encode(self, frames: jax.Array) -> lstm.LSTMState:
    """State after the last frame of [B, M, L]; its hidden part is y [B, D]."""
    return self.encoder(frames)

  def features(self, frames: jax.Array) -> jax.Array:
    """The spatial-temporal feature y [B, D] of frames [B, M, L]."""
    return self.encode(frames).hidden

  def __call__(self, frames: jax.Array) -> jax.Array | LinearFrames:
    """Reconstructed frames [B, M, L] as the decoder gives them, in order."""
    state = self.encode(frames)
    if not self.copy_cell:
      state = state._replace(cell=jnp.zeros_like(state.cell))
    reconstruction = self.decoder(jnp.zeros_like(frames[:, 0]), state)
    if not self.reverse:
      return reconstruction
    if isinstance(reconstruction, LinearFrames):
      return reconstruction.reverse()
    return reconstruction[:, ::-1]


@dataclasses.dataclass(frozen=True)
class AutoencoderMethod:
  """The autoencoder as the trainer wants it; see method.HashingMethod."""

  module: Autoencoder

  is_closed_form = False
  has_epochs = False

  def init(self, key: jax.Array, tables: Mapping[str, Any]):
    """Parameters, and no other collections."""
    del tables
    shape = (1, self.module.num_frames, self.module.frame_dim)
    return self.module.init(key, jnp.zeros(shape))['params'], {}

  def loss(self, params, collections, batch, tables, key, axis_name):
    """Mean squared reconstruction error of the batch's frames."""
    del tables, key, axis_name
    reconstruction = self.module.apply({'params': params}, batch['frames'])
    loss = mean_squared_error(batch['frames'], reconstruction)
    return loss, ({}, collections)
