"""Decoders that write a video from a state alone: LSTMs without input.

Those of SSTH, JTAE and SSVH. With no reconstructed frame fed back, the frames
are one product after the recurrence.
"""

from __future__ import annotations

import jax
import jax.numpy as jnp
from flax import linen as nn

from nph_jax.models import initializers, lstm
from nph_jax.models.config import RecurrentConfig
from nph_jax.models.precision import matmul
from nph_jax.models.recurrence import frames_first, recurrent_scan


class FreeDecoder(nn.Module):
  """Frames, or their mean, from a state, by one LSTM or two.

  Attributes:
    num_frames: M.
    frame_dim: L.
    width: H.
    config: how the LSTMs start, and the products' precision.
    stride: 0 for one LSTM of M steps. Else M / stride steps of an upper one,
      each of whose states is the input of `stride` steps of a lower one, which
      starts from zeros.
  """

  num_frames: int
  frame_dim: int
  width: int
  config: RecurrentConfig
  stride: int = 0

  def setup(self):
    self.states = _States(self.width, self.config)
    if self.stride:
      self.lower = _States(self.width, self.config)
    self.output_kernel = self.param(
      'output_kernel', initializers.xavier, (self.width, self.frame_dim)
    )
    self.output_bias = self.param(
      'output_bias', nn.initializers.zeros, (self.frame_dim,)
    )

  def __call__(self, state: lstm.LSTMState) -> jax.Array:
    """Frames [B, M, L], in the order written, from a state [B, H]."""
    return self._output(self._hidden(state))

  def mean(self, state: lstm.LSTMState) -> jax.Array:
    """The mean over M of `__call__`, [B, L]."""
    return self._output(self._hidden(state).mean(axis=1))

  def _output(self, hidden: jax.Array) -> jax.Array:
    product = matmul(hidden, self.output_kernel, self.config.precision)
    return product + self.output_bias

  def _hidden(self, state: lstm.LSTMState) -> jax.Array:
    """The states that frames are read off, [B, M, H]."""
    if not self.stride:
      return self.states(state, self.num_frames)
    upper = self.states(state, self.num_frames // self.stride)
    zeros = lstm.zero_state(len(upper), self.width, upper.dtype)
    return self.lower(zeros, self.num_frames, upper)


class _States(nn.Module):
  """The hidden states [B, T, H] of a standard LSTM that no frame drives."""

  width: int
  config: RecurrentConfig

  @nn.compact
  def __call__(
    self,
    state: lstm.LSTMState,
    num_steps: int,
    inputs: jax.Array | None = None,
  ) -> jax.Array:
    """From `state`; inputs [B, T2, H] last for T / T2 steps each."""
    per_gate, columns = initializers.per_gate, 4 * self.width
    precision = self.config.precision
    recurrent = self.param(
      'recurrent_kernel',
      per_gate(4, initializers.recurrent(self.config.recurrent_init)),
      (self.width, columns),
    )
    linear = self.param(
      'bias', initializers.gate_bias(4, self.config.forget_bias), (columns,)
    )
    if inputs is not None:
      kernel = self.param('input_kernel', per_gate(4), (self.width, columns))
      linear = linear + frames_first(matmul(inputs, kernel, precision))
      linear = jnp.repeat(linear, num_steps // len(linear), axis=0)
    shape = (num_steps, state.hidden.shape[0], columns)
    offsets = jnp.broadcast_to(linear, shape)
    _, hidden = recurrent_scan(
      lstm.lstm_step, precision, recurrent, tuple(state), offsets, ()
    )
    return frames_first(hidden)
