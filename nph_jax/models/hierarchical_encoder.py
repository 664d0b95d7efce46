"""Neighbourhood attention in a two-level LSTM, which the paper leaves open."""

from __future__ import annotations

import dataclasses

import jax

from nph_jax.models.encoder import Encoded, Encoder, NeighborhoodEncoder
from nph_jax.models.lstm_encoder import LSTMEncoder

STRIDE = 2


class HierarchicalEncoder(Encoder):
  """NPH's LSTM below, a standard LSTM over every second of its states above.

  The paper's conclusion names hierarchical LSTMs as future work and gives no
  equations. The stride is that of SSVH (reference [18], 12 upper steps over
  24 frames). Here: the attention is in the lower level, which sees the frames;
  states are counted back from the last frame, so that an odd number of frames
  loses none at the end; the decoder stays NPH's, of one level.

  The lower level scans the equations as they stand, which yields every state;
  `fused` yields the last one.
  """

  reads_neighborhood = True

  def setup(self):
    literal = dataclasses.replace(self.config, literal=True)
    self.lower = NeighborhoodEncoder(self.num_frames, literal, self.axis_name)
    self.upper = LSTMEncoder(self.num_frames, self.config)

  def __call__(
    self, frames: jax.Array, neighborhood: jax.Array | None, train: bool
  ) -> Encoded:
    """The upper level's last hidden state, the lower one's last memory."""
    lower = self.lower(frames, neighborhood, train)
    last = frames.shape[1] - 1
    upper = self.upper(lower.states[:, last % STRIDE :: STRIDE])
    return Encoded(upper.video, lower.memory)
