"""The same encoder and decoders, rearranged for large matrix products.

Exact algebra on the parameters of the literal modules (`lstm`, `encoder`,
`decoder`); only the order of rounding differs.

Encoder: every product with v_t is independent of the recurrence, so products
over all frames do them; the memory of eq. 3 does not read the LSTM's
state, so its scan runs first and MLP(m) is one product over all frames too;
query, key and value of the memory are one product.

Decoder: v~_t = h_t W_out + b_out enters the next step as v~_t W_x, so that the
recurrence needs only h_t (W_out W_x + W_h), and what the v~ are needed for is
left to the end (`linear_frames`).
"""

from __future__ import annotations

import functools
from collections.abc import Mapping
from typing import Any

import jax
import jax.numpy as jnp
from flax import linen as nn

from nph_jax.models import lstm
from nph_jax.models.config import NPHConfig
from nph_jax.models.linear_frames import LinearFrames
from nph_jax.models.precision import matmul
from nph_jax.models.recurrence import frames_first, recurrent_scan

Params = Mapping[str, Any]


def lstm_states(
  gates: Params, frames: jax.Array, state: lstm.LSTMState, precision: str
) -> lstm.LSTMState:
  """State of a standard LSTM after the last of frames [B, M, L].

  Args:
    gates: parameters of lstm.Gates.
    frames: the inputs.
    state: before the first frame.
    precision: of the products.
  """
  frames = frames_first(frames)
  linear = matmul(frames, gates['input_kernel'], precision) + gates['bias']
  weight = gates['recurrent_kernel']
  carry, _ = recurrent_scan(
    lstm.lstm_step, precision, weight, tuple(state), linear, ()
  )
  return lstm.LSTMState(*carry)


def decode(
  cell: Params,
  frame: jax.Array,
  state: lstm.LSTMState,
  num_frames: int,
  precision: str,
) -> LinearFrames:
  """Frames of decoder.FrameDecoder, given its cell's parameters."""
  gates, output = cell['lstm']['gates'], cell['output']
  width = len(output['kernel'])
  # W_out, b_out and v~0 meet W_x in one product.
  rows = jnp.concatenate([output['kernel'], output['bias'][None], frame])
  rows = matmul(rows, gates['input_kernel'], precision)
  folded, bias, linear = jnp.split(rows, [width, width + 1])
  recurrent = gates['recurrent_kernel']
  linear = linear + matmul(state.hidden, recurrent, precision) + gates['bias']
  first = lstm.lstm_update(linear, state)
  offsets = jnp.broadcast_to(
    bias + gates['bias'], (num_frames - 1, *linear.shape)
  )
  _, hidden = recurrent_scan(
    lstm.lstm_step, precision, folded + recurrent, tuple(first), offsets, ()
  )
  hidden = jnp.concatenate([first.hidden[None], hidden])
  return LinearFrames(hidden, output['kernel'], output['bias'], precision)


def encode(
  cell: Params,
  frames: jax.Array,
  memory: jax.Array,
  mask: jax.Array | None,
  moments: Mapping[str, jax.Array],
  config: NPHConfig,
  train: bool,
  axis_name: str | None,
) -> tuple[lstm.NeighborhoodState, tuple[jax.Array, jax.Array]]:
  """What the scan of lstm.NeighborhoodLSTMCell returns.

  Args:
    cell: the cell's parameters.
    frames: v [B, M, L].
    memory: n_i [B, Nb].
    mask: dropout factors [M, B, Nb] of the projected frames, or None.
    moments: gamma, beta, mean and variance, [M, H] each.
    config: the encoder's.
    train: normalise with the batch's statistics, not the running ones.
    axis_name: devices' axis under pmap.
  """
  precision = config.precision
  embed, gates = cell['embed'], cell['gates']
  frames = frames_first(frames)
  projected = matmul(frames, embed['kernel'], precision) + embed['bias']
  gate_offsets = matmul(frames, gates['input_kernel'], precision)
  gate_offsets = gate_offsets + gates['bias']
  if mask is not None:
    projected = projected * mask
  memories = _memories(cell['attention'], projected, memory, config)
  candidates = _mlp(cell, memories, config.mlp_layers, precision)
  step = functools.partial(
    _cell_step,
    epsilon=config.norm.epsilon,
    train=train,
    axis_name=axis_name,
  )
  zeros = lstm.zero_state(*candidates.shape[1:], memory.dtype)
  (cell_state, hidden), used = recurrent_scan(
    step,
    precision,
    gates['recurrent_kernel'],
    tuple(zeros),
    gate_offsets,
    (candidates, dict(moments)),
  )
  return lstm.NeighborhoodState(memories[-1], cell_state, hidden), used


def _memories(
  attention: Params,
  projected: jax.Array,
  memory: jax.Array,
  config: NPHConfig,
) -> jax.Array:
  """Eq. 3-4 over all frames: m_1 .. m_M [M, B, Nb]."""
  precision = config.precision
  query, key, value = (
    attention[k]['kernel'] for k in ('query', 'key', 'value')
  )
  frame_kernel = jnp.concatenate([key, value], axis=1)
  keys, values = jnp.split(
    matmul(projected, frame_kernel, precision), 2, axis=-1
  )
  weight = jnp.concatenate([query, key, value], axis=1)
  step = functools.partial(_memory_step, **vars(config.attention))
  offsets = jnp.zeros((*projected.shape[:2], weight.shape[1]), memory.dtype)
  _, memories = recurrent_scan(
    step, precision, weight, (memory,), offsets, (keys, values)
  )
  return memories


def _memory_step(carry, frame, linear, *, num_heads, scale, residual):
  """The softmax over two rows is a sigmoid of the scores' difference."""
  (memory,) = carry
  split = lambda x: x.reshape(*x.shape[:-1], num_heads, -1)  # noqa: E731
  query, own_key, own_value = map(split, jnp.split(linear, 3, axis=-1))
  frame_key, frame_value = map(split, frame)
  score = jnp.sum(query * (own_key - frame_key), axis=-1, keepdims=True)
  weight = nn.sigmoid(score / jnp.sqrt(scale))
  read = (frame_value + weight * (own_value - frame_value)).reshape(
    memory.shape
  )
  memory = memory + read if residual else read
  return (memory,), memory


def _mlp(
  cell: Params, memories: jax.Array, layers: int, precision: str
) -> jax.Array:
  for layer in range(layers):
    memories = nn.relu(memories) if layer else memories
    dense = cell[f'mlp_{layer}']
    memories = matmul(memories, dense['kernel'], precision) + dense['bias']
  return memories


def _cell_step(carry, inputs, linear, *, epsilon, train, axis_name):
  """Eq. 5-9, but for the products with v_t and the MLP."""
  cell, _ = carry
  candidate, moments = inputs
  i, f, o = jnp.split(nn.sigmoid(linear), 3, axis=-1)
  return lstm.normalized_update(
    i, f, o, cell, candidate, moments, epsilon, train, axis_name
  )
