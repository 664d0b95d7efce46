"""The neighbourhood preserving encoder: a scan of eq. 3-9 over the frames."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import jax
import jax.numpy as jnp
from flax import linen as nn

from nph_jax.models import dropout, fused, lstm, normalization


class NeighborhoodEncoder(nn.Module):
  """Reads the frames of a video under the guidance of its first memory.

  Attributes:
    num_frames: M.
    hidden_width: H.
    memory_width: Nb.
    attention: fields of MemoryAttention besides its width.
    mlp_layers: layers of the MLP of eq. 8.
    dropout_rate: on the frame as projected for the attention.
    forget_bias, recurrent_init: see lstm.Gates.
    norm: momentum, per_step, epsilon of the cell's batch normalisation.
    axis_name: devices' axis under pmap.
    literal: scan the equations as they stand, the reference that the default,
      `fused`, is tested against.
    precision: of the products; the literal scan is always float32.
  """

  num_frames: int
  hidden_width: int
  memory_width: int
  attention: Mapping[str, Any]
  mlp_layers: int
  dropout_rate: float
  forget_bias: float
  recurrent_init: str
  norm: Mapping[str, Any]
  axis_name: str | None = None
  literal: bool = False
  precision: str = 'float32'

  @nn.compact
  def __call__(
    self, frames: jax.Array, memory: jax.Array, train: bool
  ) -> lstm.NeighborhoodState:
    """Returns the state after the last frame.

    Args:
      frames: v, [B, M, L].
      memory: the first memory, n_i of eq. 4, [B, Nb].
      train: whether to drop units and normalise with the batch's statistics.
    """
    running = normalization.RunningMoments(
      self.num_frames,
      self.hidden_width,
      self.norm['momentum'],
      self.norm['per_step'],
      name='norm',
    )
    masks = self._masks(frames, train)
    literal = self.literal or self.is_initializing()
    run = self._run_literal if literal else self._run_fused
    state, moments = run(frames, memory, masks, running.parameters(), train)
    if train:
      running.update(*moments)
    return state

  def _run_literal(self, frames, memory, masks, moments, train):
    zeros = lstm.zero_state(frames.shape[0], self.hidden_width, memory.dtype)
    state = lstm.NeighborhoodState(memory, *zeros)
    inputs = lstm.CellInputs(jnp.swapaxes(frames, 0, 1), masks, moments)
    return self._scan(train)(state, inputs)

  def _run_fused(self, frames, memory, masks, moments, train):
    fields = {
      'attention': self.attention,
      'mlp_layers': self.mlp_layers,
      'epsilon': self.norm['epsilon'],
      'train': train,
      'axis_name': self.axis_name,
      'precision': self.precision,
    }
    cell = self.variables['params']['cell']
    return fused.encode(cell, frames, memory, masks, moments, fields)

  def _masks(self, frames: jax.Array, train: bool) -> jax.Array | None:
    """Dropout factors [M, B, Nb], frame-major as the scan reads them."""
    if not train or not self.dropout_rate:
      return None
    shape = (*frames.shape[:2], self.memory_width)
    masks = dropout.mask(
      self.make_rng('dropout'), shape, self.dropout_rate, self.axis_name
    )
    return jnp.swapaxes(masks, 0, 1)

  def _scan(self, train: bool) -> nn.Module:
    cell = nn.scan(
      lstm.NeighborhoodLSTMCell,
      variable_broadcast='params',
      split_rngs={'params': False},
    )
    return cell(
      self.hidden_width,
      self.memory_width,
      dict(self.attention),
      self.mlp_layers,
      self.forget_bias,
      self.recurrent_init,
      self.norm['epsilon'],
      train,
      self.axis_name,
      name='cell',
    )
