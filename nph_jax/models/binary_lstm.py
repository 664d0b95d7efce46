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

from nph_jax.models import hashing, initializers, normalization
from nph_jax.models.config import Norm
from nph_jax.models.lstm import LSTMState
from nph_jax.models.precision import matmul
from nph_jax.models.recurrence import frames_first, recurrent_scan


class BinaryLSTM(nn.Module):
  """All steps of the cell, from zeros, products with the inputs in one.

  Attributes:
    num_steps: T.
    width: H.
    binary: whether sgn(t) is the recurrent state, or t itself.
    sign_window: of the straight-through gradient.
    forget_bias, recurrent_init: see lstm.Gates.
    norm: of the cell state.
    axis_name: devices' axis under pmap.
    precision: of the products.
  """

  num_steps: int
  width: int
  binary: bool
  sign_window: float
  forget_bias: float
  recurrent_init: str
  norm: Norm
  axis_name: str | None = None
  precision: str = 'float32'

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
    linear, recurrent = self._linear(inputs)
    running = normalization.RunningMoments(
      self.num_steps, self.width, self.norm, name='norm'
    )
    step = functools.partial(
      _step,
      window=self.sign_window if self.binary else None,
      epsilon=self.norm.epsilon,
      train=train,
      axis_name=self.axis_name,
    )
    zeros = jnp.zeros((inputs.shape[0], self.width), inputs.dtype)
    (cell, relaxed, _), (hidden, moments) = recurrent_scan(
      step,
      self.precision,
      recurrent,
      (zeros, zeros, zeros),
      frames_first(linear),
      (self._peepholes(), running.parameters()),
    )
    if train:
      running.update(*moments)
    return LSTMState(cell, relaxed), frames_first(hidden)

  def _linear(self, inputs: jax.Array) -> tuple[jax.Array, jax.Array]:
    """W v + bias of the gates i, f, g, o [B, T, 4 H], and W^h [H, 4 H]."""
    per_gate, columns = initializers.per_gate, 4 * self.width
    kernel = self.param(
      'input_kernel', per_gate(4), (inputs.shape[-1], columns)
    )
    recurrent = self.param(
      'recurrent_kernel',
      per_gate(4, initializers.recurrent(self.recurrent_init)),
      (self.width, columns),
    )
    bias = self.param(
      'bias', initializers.gate_bias(4, 1, self.forget_bias), (columns,)
    )
    return matmul(inputs, kernel, self.precision) + bias, recurrent

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
