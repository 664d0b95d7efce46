"""WSCH's state space layer: SSD (Dao and Gu, 2024) over a few frames.

With V frames no scan is needed: the masked V x V product that defines it is as
small.
"""

from __future__ import annotations

import math

import jax
import jax.numpy as jnp
from flax import linen as nn

from nph_jax.models import initializers
from nph_jax.models.transformer import Dense

NUM_HEADS, STATE = 16, 64
_TAPS = 4
_GROUP = 2  # channels that a convolution joins
_MAX_DECAY = 16.0  # A starts at -1 to -16


class StateSpace(nn.Module):
  """t + W_out (y SiLU(g)); see wsch.

  Attributes:
    precision: of the products.
  """

  precision: str = 'float32'

  @nn.compact
  def __call__(self, t: jax.Array) -> jax.Array:
    """Returns [B, V, H], as t."""

    def dense(width: int, use_bias: bool = False) -> nn.Module:
      return Dense(width, use_bias, initializers.torch, self.precision)

    inner = 2 * t.shape[-1]
    normed = nn.RMSNorm(1e-5)(t)
    c, gate = jnp.split(dense(2 * inner)(normed), 2, axis=-1)
    c = PairedConvolution()(c)
    heads = math.gcd(NUM_HEADS, inner)
    rest = dense(heads + 2 * STATE)(c)
    step, b, read = jnp.split(rest, (heads, heads + STATE), axis=-1)
    shift = self.param('step_bias', nn.initializers.zeros, (heads,))
    log_a = self.param('log_a', _log_a, (heads,))
    skip = self.param('skip', nn.initializers.ones, (heads,))
    step = nn.softplus(step + shift)
    parts = c.reshape(*c.shape[:-1], heads, -1)
    y = ssd(parts, step, -jnp.exp(log_a), b, read) + skip[:, None] * parts
    return t + dense(t.shape[-1], True)(y.reshape(c.shape) * nn.silu(gate))


def _log_a(key: jax.Array, shape: tuple[int]) -> jax.Array:
  return jnp.log(jax.random.uniform(key, shape, minval=1, maxval=_MAX_DECAY))


class PairedConvolution(nn.Module):
  """Causal, of four frames, two channels by two, no bias."""

  @nn.compact
  def __call__(self, x: jax.Array) -> jax.Array:
    """Returns [B, V, H], as x."""
    length, width = x.shape[1:]
    pairs = width // _GROUP
    shape = (_TAPS * _GROUP, width)  # PyTorch's fan in
    kernel = self.param('kernel', initializers.torch, shape)
    kernel = kernel.reshape(_TAPS, _GROUP, pairs, _GROUP)
    padded = jnp.pad(x, ((0, 0), (_TAPS - 1, 0), (0, 0)))
    padded = padded.reshape(x.shape[0], -1, pairs, _GROUP)
    taps = (
      jnp.einsum('btpi,ipo->btpo', padded[:, i : i + length], kernel[i])
      for i in range(_TAPS)
    )
    return sum(taps).reshape(x.shape)


def ssd(
  c: jax.Array, step: jax.Array, a: jax.Array, b: jax.Array, read: jax.Array
) -> jax.Array:
  """sum_{s <= t} (C_t . B_s) exp(sum_{s < r <= t} A dt_r) dt_s c_s.

  Args:
    c: [B, V, heads, width].
    step: dt, [B, V, heads].
    a: A, [heads].
    b: B, [B, V, state].
    read: C, [B, V, state].
  """
  total = jnp.cumsum(step * a, axis=1)
  between = total[:, :, None] - total[:, None]  # [B, t, s, heads]
  past = jnp.tril(jnp.ones((c.shape[1],) * 2, bool))[..., None]
  decay = jnp.exp(jnp.where(past, between, -jnp.inf))
  products = jnp.einsum('btn,bsn->bts', read, b)
  weights = products[..., None] * decay * step[:, None]
  return jnp.einsum('btsh,bshp->bthp', weights, c)
