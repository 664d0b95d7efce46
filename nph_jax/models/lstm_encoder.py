"""The last state of a standard LSTM, and the paper's Plain, which is that."""

from __future__ import annotations

import jax
from flax import linen as nn

from nph_jax.models import fused, lstm
from nph_jax.models.encoder import Encoded, Encoder


class LastState(nn.Module):
  """References [29, 30] over all frames.

  Attributes:
    width: H.
    forget_bias, recurrent_init, literal, precision: see RecurrentConfig.
  """

  width: int
  forget_bias: float = 1.0
  recurrent_init: str = 'xavier'
  literal: bool = False
  precision: str = 'float32'

  @nn.compact
  def __call__(self, frames: jax.Array) -> lstm.LSTMState:
    """The state, [B, H] each, after the last of frames [B, M, L]."""
    start = lstm.zero_state(frames.shape[0], self.width, frames.dtype)
    if not (self.literal or self.is_initializing()):
      gates = self.variables['params']['cell']['gates']
      return fused.lstm_states(gates, frames, start, self.precision)
    scan = nn.scan(
      lstm.LSTMCell,
      variable_broadcast='params',
      split_rngs={'params': False},
      in_axes=1,
    )
    cell = scan(self.width, self.forget_bias, self.recurrent_init, name='cell')
    return cell(start, frames)[0]


class LSTMEncoder(Encoder):
  """The last hidden state encodes the video.

  Neither the batch normalisation nor the dropout of NPH's cell is in it: the
  one is of eq. 8, the other on the frames that the attention reads.
  """

  def setup(self):
    c = self.config
    self.lstm = LastState(
      c.hidden_width, c.forget_bias, c.recurrent_init, c.literal, c.precision
    )

  def __call__(
    self,
    frames: jax.Array,
    neighborhood: jax.Array | None = None,
    train: bool = False,
  ) -> Encoded:
    """Reads frames [B, M, L] alone; see Encoder."""
    del neighborhood, train
    return Encoded(self.lstm(frames).hidden)
