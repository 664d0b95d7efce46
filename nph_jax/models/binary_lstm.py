"""The binary LSTM of SSTH (reference [16]), and its real-valued lower level.

Per step, with diagonal peepholes p and a batch normalisation of its own:

  i, f, g = W v + W h + bias
  c       = BN(sigmoid(f + p_f c) c + sigmoid(i + p_i c) tanh(g))
  t       = sigmoid(o + p_o c) c                (no tanh; o like i, of new c)
  h       = sgn(t), or t where not binary

Here: peepholes start at zero, which the original's text at hand does not say;
momentum and epsilon of the normalisation are the configuration's (0.99 and
1e-5; the original's epsilon of 1e-10 blows up a cell that is constant).
"""

from __future__ import annotations

import functools

import jax
import jax.numpy as jnp
from flax import linen as nn

from nph_jax.models import hashing, normalization
from nph_jax.models.config import RecurrentConfig
from nph_jax.models.lstm import LSTMState, gate_parameters
from nph_jax.models.precision import matmul
from nph_jax.models.recurrence import frames_first, recurrent_scan


class BinaryLSTM(nn.Module):
  """All steps of the cell, from zeros, products with the inputs in one.

  Attributes:
    num_steps: T.
    width: H.
    binary: whether sgn(t) is the recurrent state, or t itself.
    config: all but its hidden_width.
    axis_name: devices' axis under pmap.
  """

  num_steps: int
  width: int
  binary: bool
  config: RecurrentConfig
  axis_name: str | None = None

  @nn.compact
  def __call__(
    self, inputs: jax.Array, train: bool
  ) -> tuple[LSTMState, jax.Array]:
    """Reads inputs [B, T, L].

    Args:
      inputs: v.
      train: whether to normalise with the batch's statistics.

    Returns:
      The last cell and the last t [B, H], and every h [B, T, H].
    """
    config = self.config
    kernel, recurrent, bias = gate_parameters(
      self, inputs.shape[-1], self.width, config
    )
    linear = matmul(inputs, kernel, config.precision) + bias
    running = normalization.RunningMoments(
      self.num_steps, self.width, config.norm, name='norm'
    )
    step = functools.partial(
      _step,
      window=config.sign_window if self.binary else None,
      epsilon=config.norm.epsilon,
      train=train,
      axis_name=self.axis_name,
    )
    zeros = jnp.zeros((inputs.shape[0], self.width), inputs.dtype)
    (cell, relaxed, _), (hidden, moments) = recurrent_scan(
      step,
      config.precision,
      recurrent,
      (zeros, zeros, zeros),
      frames_first(linear),
      (self._peepholes(), running.parameters()),
    )
    if train:
      running.update(*moments)
    return LSTMState(cell, relaxed), frames_first(hidden)

  def _peepholes(self) -> jax.Array:
    """p of i, f, o for each step alike, [T, 3, H]."""
    shape = (3, self.width)
    peepholes = self.param('peepholes', nn.initializers.zeros, shape)
    return jnp.broadcast_to(peepholes, (self.num_steps, *shape))


def _step(carry, inputs, linear, *, window, epsilon, train, axis_name):
  """One step; `window` is None where the state is not binary."""
  cell = carry[0]
  peepholes, moments = inputs
  i, f, g, o = jnp.split(linear, 4, axis=-1)
  i = nn.sigmoid(i + peepholes[0] * cell)
  f = nn.sigmoid(f + peepholes[1] * cell)
  cell, used = normalization.normalize_step(
    f * cell + i * jnp.tanh(g), moments, epsilon, train, axis_name
  )
  relaxed = nn.sigmoid(o + peepholes[2] * cell) * cell
  hidden = relaxed if window is None else hashing.sign_ste(relaxed, window)
  return (cell, relaxed, hidden), (hidden, used)
