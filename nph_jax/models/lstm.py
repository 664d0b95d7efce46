"""Recurrent cells: the standard LSTM, and NPH's, eq. 5-9."""

from __future__ import annotations

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from flax import linen as nn

from nph_jax.models import initializers, normalization
from nph_jax.models.config import NPHConfig, RecurrentConfig
from nph_jax.models.memory_attention import MemoryAttention


class LSTMState(NamedTuple):
  """What a standard LSTM carries, each [B, H]."""

  cell: jax.Array
  hidden: jax.Array


class NeighborhoodState(NamedTuple):
  """What NPH's LSTM carries: memory [B, Nb], cell and hidden [B, H]."""

  memory: jax.Array
  cell: jax.Array
  hidden: jax.Array


def zero_state(batch: int, width: int, dtype: Any) -> LSTMState:
  """The state before the first frame."""
  zeros = jnp.zeros((batch, width), dtype)
  return LSTMState(zeros, zeros)


def lstm_update(gates: jax.Array, state: LSTMState) -> LSTMState:
  """One step of references [29, 30] from gates [B, 4 H], order i, f, g, o."""
  i, f, g, o = jnp.split(gates, 4, axis=-1)
  cell = nn.sigmoid(f) * state.cell + nn.sigmoid(i) * jnp.tanh(g)
  return LSTMState(cell, nn.sigmoid(o) * jnp.tanh(cell))


def lstm_step(
  carry: tuple[jax.Array, jax.Array], inputs: None, gates: jax.Array
) -> tuple[tuple[jax.Array, jax.Array], jax.Array]:
  """`lstm_update` as `recurrence.recurrent_scan` calls it; yields h [B, H]."""
  del inputs
  state = lstm_update(gates, LSTMState(*carry))
  return tuple(state), state.hidden


def gate_parameters(
  module: nn.Module,
  input_width: int,
  width: int,
  config: RecurrentConfig,
  num_gates: int = 4,
) -> tuple[jax.Array, jax.Array, jax.Array]:
  """W^v [L, gates H], W^h [H, gates H] and bias [gates H] of a module.

  Args:
    module: whose parameters they become.
    input_width: L.
    width: H.
    config: its forget_bias and recurrent_init.
    num_gates: side by side, the forget gate second.
  """
  per_gate, columns = initializers.per_gate, num_gates * width
  recurrent = initializers.recurrent(config.recurrent_init)
  return (
    module.param('input_kernel', per_gate(num_gates), (input_width, columns)),
    module.param(
      'recurrent_kernel', per_gate(num_gates, recurrent), (width, columns)
    ),
    module.param(
      'bias', initializers.gate_bias(num_gates, config.forget_bias), (columns,)
    ),
  )


class Gates(nn.Module):
  """W^v v + W^h h + bias of `num_gates` gates side by side.

  Attributes:
    num_gates: gates, each of width H.
    config: H and how they start.
  """

  num_gates: int
  config: RecurrentConfig

  @nn.compact
  def __call__(self, inputs: jax.Array, hidden: jax.Array) -> jax.Array:
    """Returns [B, gates * H] from inputs [B, L] and hidden state [B, H]."""
    input_kernel, recurrent_kernel, bias = gate_parameters(
      self,
      inputs.shape[-1],
      self.config.hidden_width,
      self.config,
      self.num_gates,
    )
    return inputs @ input_kernel + hidden @ recurrent_kernel + bias


class LSTMCell(nn.Module):
  """A standard LSTM step; state and result [B, H]."""

  config: RecurrentConfig

  @nn.compact
  def __call__(
    self, state: LSTMState, inputs: jax.Array
  ) -> tuple[LSTMState, jax.Array]:
    gates = Gates(4, self.config, name='gates')
    state = lstm_update(gates(inputs, state.hidden), state)
    return state, state.hidden


def normalized_update(
  i: jax.Array,
  f: jax.Array,
  o: jax.Array,
  cell: jax.Array,
  candidate: jax.Array,
  moments: dict[str, jax.Array],
  epsilon: float,
  train: bool,
  axis_name: str | None,
) -> tuple[tuple[jax.Array, jax.Array], tuple[jax.Array, jax.Array]]:
  """Eq. 8-9 for one step.

  Args:
    i: input gate [B, H]; f, o likewise forget and output gate.
    f: see i.
    o: see i.
    cell: c_{t-1} [B, H].
    candidate: MLP(m_t) [B, H].
    moments: gamma and beta, running mean and variance, [H] each.
    epsilon: of the batch normalisation.
    train: normalise with the batch's statistics, not the running ones.
    axis_name: devices' axis under pmap.

  Returns:
    (c_t, h_t), and the mean and variance [H] that normalised.
  """
  cell, used = normalization.normalize_step(
    f * cell + i * candidate, moments, epsilon, train, axis_name
  )
  return (cell, o * jnp.tanh(cell)), used


class CellInputs(NamedTuple):
  """What one step of NPH's LSTM reads besides its state.

  frame v_t [B, L]; mask, dropout factors of the projected frame [B, Nb] or
  None; moments, gamma and beta and running statistics of this step, [H] each.
  """

  frame: jax.Array
  mask: jax.Array | None
  moments: dict[str, jax.Array]


class NeighborhoodLSTMCell(nn.Module):
  """Eq. 5-9: an LSTM whose candidate is an MLP of the attended memory.

    i, f, o = sigmoid(W v + W h + bias)                      (5-7)
    m       = attention(m, dropout(W v))                     (3-4)
    c       = BN(f * c + i * MLP(m))                         (8)
    h       = o * tanh(c)                                    (9)

  The equations show no bias; a standard LSTM has one, and so has this.

  Attributes:
    config: widths and parts.
    train: normalise with the batch's statistics, not the running ones.
    axis_name: devices' axis under pmap.
  """

  config: NPHConfig
  train: bool
  axis_name: str | None

  @nn.compact
  def __call__(
    self, state: NeighborhoodState, inputs: CellInputs
  ) -> tuple[NeighborhoodState, tuple[jax.Array, tuple[jax.Array, jax.Array]]]:
    """One step.

    Args:
      state: before it.
      inputs: what else it reads.

    Returns:
      The next state, and (its hidden part, the statistics used, mean and
      variance [H]).
    """
    gates = Gates(3, self.config, name='gates')
    linear = gates(inputs.frame, state.hidden)
    i, f, o = jnp.split(nn.sigmoid(linear), 3, axis=-1)
    memory = self._attend(state.memory, inputs)
    (cell, hidden), moments = normalized_update(
      i,
      f,
      o,
      state.cell,
      self._mlp(memory),
      inputs.moments,
      self.config.norm.epsilon,
      self.train,
      self.axis_name,
    )
    return NeighborhoodState(memory, cell, hidden), (hidden, moments)

  def _attend(self, memory: jax.Array, inputs: CellInputs) -> jax.Array:
    width = self.config.memory_width
    frame = _dense(width, 'embed')(inputs.frame)
    if inputs.mask is not None:
      frame = frame * inputs.mask
    attention = MemoryAttention(
      width, **vars(self.config.attention), name='attention'
    )
    return attention(memory, frame)

  def _mlp(self, memory: jax.Array) -> jax.Array:
    for layer in range(self.config.mlp_layers):
      memory = nn.relu(memory) if layer else memory
      memory = _dense(self.config.hidden_width, f'mlp_{layer}')(memory)
    return memory


def _dense(width: int, name: str) -> nn.Dense:
  return nn.Dense(width, kernel_init=initializers.xavier, name=name)
