"""Joint appearance and temporal encoding (Li et al. 2017, reference [17]).

An interpretation: neither text nor code was at hand, only the title and NPH's
sentence that it "extended SSTH by further exploiting the appearance structure".
Read here as two branches around one code:

  temporal    a standard LSTM over the frames, of hidden_width; from the code,
              as in SSTH, two LSTMs of width K without input write the frames in
              reverse order and in order. They start from (b, 0): the encoder
              has no cell of width K to hand on.
  appearance  the mean frame through an MLP of two layers; from the code another
              writes the mean frame.

Both encodings side by side, through a linear layer, are t; b = sgn(t). Loss:
half the temporal error, itself the mean of the two orders', and half the
appearance error, all mean squares.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import jax
import jax.numpy as jnp
from flax import linen as nn

from nph_jax.models import hashing, initializers, lstm
from nph_jax.models.config import RecurrentConfig, Sizes
from nph_jax.models.free_decoder import FreeDecoder
from nph_jax.models.lstm_encoder import LastState
from nph_jax.models.method import Entry, HashingModule
from nph_jax.models.reconstruction import Outputs, ReconstructionMethod

_WEIGHTS = {'reverse': 1 / 4, 'forward': 1 / 4, 'mean': 1 / 2}


class JTAE(HashingModule):
  """Temporal and appearance encoder, the sign, and a decoder for each.

  Attributes:
    axis_name: devices' axis under pmap; nothing here looks across devices.
  """

  axis_name: str | None = None

  def setup(self):
    width = self.config.hidden_width  # of the encoder's LSTM and of both MLPs
    self.temporal = LastState(self.config)
    self.appearance = _MLP(width, width)
    self.hash_layer = hashing.HashLayer(self.num_bits)
    self.decode_reverse = self._decoder()
    self.decode_forward = self._decoder()
    self.decode_mean = _MLP(width, self.frame_dim)

  def _decoder(self) -> FreeDecoder:
    return FreeDecoder(
      self.num_frames, self.frame_dim, self.num_bits, self.config
    )

  def encode(self, frames: jax.Array, train: bool = False) -> tuple[jax.Array]:
    """Relaxed code t [B, K] of frames [B, M, L]; alike in training."""
    del train
    temporal = self.temporal(frames).hidden
    appearance = self.appearance(frames.mean(axis=1))
    both = jnp.concatenate([temporal, appearance], axis=-1)
    return (self.hash_layer(both),)

  def __call__(self, frames: jax.Array, train: bool = False) -> Outputs:
    """Everything that the losses need, of frames [B, M, L]."""
    (relaxed,) = self.encode(frames, train)
    binary = hashing.sign_ste(relaxed, self.config.sign_window)
    state = lstm.LSTMState(jnp.zeros_like(binary), binary)
    return Outputs(
      relaxed,
      self.decode_reverse(state)[:, ::-1],
      self.decode_forward(state),
      self.decode_mean(binary),
    )


class _MLP(nn.Module):
  """Two layers, ReLU between them."""

  hidden_width: int
  width: int

  @nn.compact
  def __call__(self, x: jax.Array) -> jax.Array:
    x = nn.Dense(self.hidden_width, kernel_init=initializers.xavier)(x)
    return nn.Dense(self.width, kernel_init=initializers.xavier)(nn.relu(x))


def build(
  sizes: Sizes, model: RecurrentConfig, options: Mapping[str, Any]
) -> ReconstructionMethod:
  """JTAE for the registry."""
  del options
  return ReconstructionMethod(JTAE(*sizes, model), _WEIGHTS)


ENTRY = Entry('JTAE', build)
