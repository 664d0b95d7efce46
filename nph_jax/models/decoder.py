"""The free-running LSTM decoder that reconstructs the frames (section 3.2)."""

from __future__ import annotations

import jax
import jax.numpy as jnp
from flax import linen as nn

from nph_jax.models import fused, initializers, lstm
from nph_jax.models.config import RecurrentConfig
from nph_jax.models.linear_frames import LinearFrames


class _FeedbackCell(nn.Module):
  """One step: the last reconstructed frame in, the next one out."""

  frame_dim: int
  config: RecurrentConfig

  @nn.compact
  def __call__(self, carry, _):
    state, frame = carry
    state, hidden = lstm.LSTMCell(self.config, name='lstm')(state, frame)
    frame = nn.Dense(
      self.frame_dim, kernel_init=initializers.xavier, name='output'
    )(hidden)
    return (state, frame), frame


class FrameDecoder(nn.Module):
  """Yields v~1 .. v~M from v~0, each frame the input of the next.

  Attributes:
    num_frames: M.
    frame_dim: L.
    config: of the LSTM.
  """

  num_frames: int
  frame_dim: int
  config: RecurrentConfig

  @nn.compact
  def __call__(
    self, frame: jax.Array, state: lstm.LSTMState
  ) -> jax.Array | LinearFrames:
    """Returns [B, M, L] from v~0 [B, L] and the first state.

    As an array if `literal`, else as the product that it is.
    """
    if not (self.config.literal or self.is_initializing()):
      cell, precision = self.variables['params']['cell'], self.config.precision
      return fused.decode(cell, frame, state, self.num_frames, precision)
    scan = nn.scan(
      _FeedbackCell,
      variable_broadcast='params',
      split_rngs={'params': False},
      length=self.num_frames,
    )
    cell = scan(self.frame_dim, self.config, name='cell')
    _, frames = cell((state, frame), None)
    return jnp.swapaxes(frames, 0, 1)
