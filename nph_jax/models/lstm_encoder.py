"""The encoder of the paper's Plain: a standard LSTM over the frames."""

from __future__ import annotations

import jax
from flax import linen as nn

from nph_jax.models import fused, lstm
from nph_jax.models.encoder import Encoded, Encoder


class LSTMEncoder(Encoder):
  """The last hidden state of references [29, 30] encodes the video.

  Neither the batch normalisation nor the dropout of NPH's cell is in it: the
  one is of eq. 8, the other on the frames that the attention reads.
  """

  @nn.compact
  def __call__(
    self,
    frames: jax.Array,
    neighborhood: jax.Array | None = None,
    train: bool = False,
  ) -> Encoded:
    """Reads frames [B, M, L] alone; see Encoder."""
    del neighborhood, train
    start = lstm.zero_state(frames.shape[0], self.hidden_width, frames.dtype)
    if not (self.literal or self.is_initializing()):
      gates = self.variables['params']['cell']['gates']
      state = fused.lstm_states(gates, frames, start, self.precision)
      return Encoded(state.hidden)
    scan = nn.scan(
      lstm.LSTMCell,
      variable_broadcast='params',
      split_rngs={'params': False},
      in_axes=1,
    )
    cell = scan(
      self.hidden_width, self.forget_bias, self.recurrent_init, name='cell'
    )
    state, _ = cell(start, frames)
    return Encoded(state.hidden)
