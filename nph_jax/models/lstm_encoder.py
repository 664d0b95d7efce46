"""Encoders of standard LSTMs: the paper's Plain, and one above NPH's LSTM."""

from __future__ import annotations

import dataclasses
import functools

import jax
import jax.numpy as jnp
from flax import linen as nn

from nph_jax.models import fused, lstm, normalization
from nph_jax.models.config import RecurrentConfig
from nph_jax.models.encoder import Encoded, Encoder, NeighborhoodEncoder
from nph_jax.models.precision import matmul
from nph_jax.models.recurrence import frames_first, recurrent_scan

STRIDE = 2  # of the hierarchical encoder's upper level


class LastState(nn.Module):
  """References [29, 30] over all frames.

  Attributes:
    config: its hidden_width is H.
  """

  config: RecurrentConfig

  @nn.compact
  def __call__(self, frames: jax.Array) -> lstm.LSTMState:
    """The state, [B, H] each, after the last of frames [B, M, L]."""
    c = self.config
    start = lstm.zero_state(frames.shape[0], c.hidden_width, frames.dtype)
    if not (c.literal or self.is_initializing()):
      gates = self.variables['params']['cell']['gates']
      return fused.lstm_states(gates, frames, start, c.precision)
    scan = nn.scan(
      lstm.LSTMCell,
      variable_broadcast='params',
      split_rngs={'params': False},
      in_axes=1,
    )
    return scan(c, name='cell')(start, frames)[0]


class LSTMEncoder(Encoder):
  """The last hidden state encodes the video.

  Neither the batch normalisation nor the dropout of NPH's cell is in it: the
  one is of eq. 8, the other on the frames that the attention reads.
  """

  def setup(self):
    self.lstm = LastState(self.config)

  def __call__(
    self,
    frames: jax.Array,
    neighborhood: jax.Array | None = None,
    train: bool = False,
  ) -> Encoded:
    """Reads frames [B, M, L] alone; see Encoder."""
    del neighborhood, train
    return Encoded(self.lstm(frames).hidden)


class NormalizedLSTMEncoder(Encoder):
  """Plain's LSTM with c = BN(f c + i tanh(g)); its last h is the video."""

  @nn.compact
  def __call__(
    self, frames: jax.Array, neighborhood: jax.Array | None, train: bool
  ) -> Encoded:
    """Reads frames [B, M, L] alone; see Encoder."""
    del neighborhood
    config = self.config
    width = config.hidden_width
    kernel, recurrent, bias = lstm.gate_parameters(
      self, frames.shape[-1], width, config
    )
    running = normalization.RunningMoments(
      self.num_frames, width, config.norm, name='norm'
    )
    step = functools.partial(
      _step,
      epsilon=config.norm.epsilon,
      train=train,
      axis_name=self.axis_name,
    )
    (_, hidden), moments = recurrent_scan(
      step,
      config.precision,
      recurrent,
      tuple(lstm.zero_state(frames.shape[0], width, frames.dtype)),
      frames_first(matmul(frames, kernel, config.precision) + bias),
      running.parameters(),
    )
    if train:
      running.update(*moments)
    return Encoded(hidden)


def _step(carry, moments, linear, *, epsilon, train, axis_name):
  i, f, g, o = jnp.split(linear, 4, axis=-1)
  cell, used = normalization.normalize_step(
    nn.sigmoid(f) * carry[0] + nn.sigmoid(i) * jnp.tanh(g),
    moments,
    epsilon,
    train,
    axis_name,
  )
  return (cell, nn.sigmoid(o) * jnp.tanh(cell)), used


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
