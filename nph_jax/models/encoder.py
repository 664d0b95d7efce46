"""Encoders of frames, and the paper's: a scan of eq. 3-9 over the frames."""

from __future__ import annotations

from typing import ClassVar, NamedTuple

import jax
import jax.numpy as jnp
from flax import linen as nn

from nph_jax.models import dropout, fused, lstm, normalization
from nph_jax.models.config import NPHConfig


class Encoded(NamedTuple):
  """What an encoder makes of videos.

  video [B, H], for the hash layer; the last memory [B, Nb] and all hidden
  states [B, M, H], None from encoders without them.
  """

  video: jax.Array
  memory: jax.Array | None = None
  states: jax.Array | None = None


class Encoder(nn.Module):
  """What all encoders share; each ignores what is not for it.

  Attributes:
    reads_neighborhood: whether `__call__` wants n_i.
    num_frames: M.
    config: widths and parts; `literal` scans the equations as they stand, the
      reference that the default, `fused`, is tested against.
    axis_name: devices' axis under pmap.
  """

  reads_neighborhood: ClassVar[bool] = False

  num_frames: int
  config: NPHConfig = NPHConfig()
  axis_name: str | None = None

  def __call__(
    self, frames: jax.Array, neighborhood: jax.Array | None, train: bool
  ) -> Encoded:
    """Encodes videos.

    Args:
      frames: v, [B, M, L].
      neighborhood: n_i, [B, Nb]; None where it is not read.
      train: whether to drop units and normalise with the batch's statistics.
    """
    raise NotImplementedError


class NeighborhoodEncoder(Encoder):
  """Reads the frames of a video under the guidance of its first memory."""

  reads_neighborhood = True

  @nn.compact
  def __call__(
    self, frames: jax.Array, neighborhood: jax.Array | None, train: bool
  ) -> Encoded:
    """Last hidden state and memory, with `literal` all states; see Encoder."""
    running = normalization.RunningMoments(
      self.num_frames, self.config.hidden_width, self.config.norm, name='norm'
    )
    masks = self._masks(frames, train)
    literal = self.config.literal or self.is_initializing()
    run = self._run_literal if literal else self._run_fused
    memory = self._first_memory(frames, neighborhood)
    encoded, moments = run(frames, memory, masks, running.parameters(), train)
    if train:
      running.update(*moments)
    return encoded

  def _first_memory(self, frames, neighborhood):
    """m_0 [B, Nb], which the paper's encoder takes to be n_i (eq. 4)."""
    del frames
    return neighborhood

  def _run_literal(self, frames, memory, masks, moments, train):
    width = self.config.hidden_width
    zeros = lstm.zero_state(frames.shape[0], width, memory.dtype)
    state = lstm.NeighborhoodState(memory, *zeros)
    inputs = lstm.CellInputs(jnp.swapaxes(frames, 0, 1), masks, moments)
    state, (hidden, moments) = self._scan(train)(state, inputs)
    states = jnp.swapaxes(hidden, 0, 1)
    return Encoded(state.hidden, state.memory, states), moments

  def _run_fused(self, frames, memory, masks, moments, train):
    cell = self.variables['params']['cell']
    state, moments = fused.encode(
      cell, frames, memory, masks, moments, self.config, train, self.axis_name
    )
    return Encoded(state.hidden, state.memory), moments

  def _masks(self, frames: jax.Array, train: bool) -> jax.Array | None:
    """Dropout factors [M, B, Nb], frame-major as the scan reads them."""
    rate = self.config.dropout_rate
    if not train or not rate:
      return None
    shape = (*frames.shape[:2], self.config.memory_width)
    key = self.make_rng('dropout')
    masks = dropout.mask(key, shape, rate, self.axis_name)
    return jnp.swapaxes(masks, 0, 1)

  def _scan(self, train: bool) -> nn.Module:
    cell = nn.scan(
      lstm.NeighborhoodLSTMCell,
      variable_broadcast='params',
      split_rngs={'params': False},
    )
    return cell(self.config, train, self.axis_name, name='cell')


class SelfAttentionEncoder(NeighborhoodEncoder):
  """The same, begun at one learned m_0 for all videos instead of n_i.

  The paper's SelfAtt, a relational recurrent network (reference [32]) of one
  memory slot. It says of m_0 no more than that; here it starts as a random
  vector of about unit length, as long as a row of the identity from which the
  memory of [32] starts. All else is NPH's cell, batch normalisation (eq. 8) and
  dropout with it, so that it differs from Plain in more than attention.
  """

  reads_neighborhood = False

  def _first_memory(self, frames, neighborhood):
    del neighborhood
    width = self.config.memory_width
    initializer = nn.initializers.normal(width**-0.5)
    memory = self.param('first_memory', initializer, (width,))
    return jnp.broadcast_to(memory, (frames.shape[0], width))
