"""Mamba (Gu and Dao, 2023) over the few frames of a video, and S5VH's block."""

from __future__ import annotations

import math

import jax
import jax.numpy as jnp
from flax import linen as nn

from nph_jax.models import initializers, transformer

_EXPANSION = 2
STATE = 16  # width of the state of each channel
_TAPS = 4
# At once on a CPU: their states stay in its cache, for half the time.
_ROWS = 16


class Mamba(nn.Module):
  """A selective state space model.

    u, g     = W_in x
    u        = SiLU(causal convolution of u, each channel on its own)
    r, B, C  = W_u u;   dt = softplus(W_dt r + b)
    s_t      = exp(dt_t A) s_{t-1} + dt_t B_t u_t
    y_t      = C_t . s_t + D u_t;   result W_out (y SiLU(g))

  u is twice as wide as x, r a sixteenth of x; A = -exp(log A) starts at -1, -2
  to -16 in each channel. All maps start as Xavier says, biases at zero, as S5VH
  has them, so dt at .69 and not at Mamba's own .001 to .1.

  Attributes:
    precision: of the products.
  """

  precision: str = 'float32'

  @nn.compact
  def __call__(self, x: jax.Array) -> jax.Array:
    """Returns [B, T, H], as x."""

    def dense(width: int, use_bias: bool = False) -> nn.Module:
      return transformer.Dense(width, use_bias, precision=self.precision)

    width, rank = x.shape[-1], math.ceil(x.shape[-1] / 16)
    inner = _EXPANSION * width
    u, gate = jnp.split(dense(2 * inner)(x), 2, axis=-1)
    u = nn.silu(CausalConvolution()(u))
    r, b, c = jnp.split(
      dense(rank + 2 * STATE)(u), (rank, rank + STATE), axis=-1
    )
    step = nn.softplus(dense(inner, use_bias=True)(r))
    log_a = self.param('log_a', _log_a, (inner, STATE))
    skip = self.param('skip', nn.initializers.ones, (inner,))
    y = selective_scan(u, step, -jnp.exp(log_a), b, c) + skip * u
    return dense(width)(y * nn.silu(gate))


def _log_a(key: jax.Array, shape: tuple[int, int]) -> jax.Array:
  del key
  return jnp.broadcast_to(jnp.log(jnp.arange(1.0, shape[1] + 1)), shape)


class CausalConvolution(nn.Module):
  """Of each channel over itself and three frames before, zeros before all."""

  @nn.compact
  def __call__(self, x: jax.Array) -> jax.Array:
    """Returns [B, T, H], as x."""
    shape = (_TAPS, x.shape[-1])
    kernel = self.param('kernel', initializers.torch, shape)
    bias = self.param('bias', nn.initializers.zeros, shape[1:])
    padded = jnp.pad(x, ((0, 0), (_TAPS - 1, 0), (0, 0)))
    length = x.shape[1]
    taps = (kernel[i] * padded[:, i : i + length] for i in range(_TAPS))
    return sum(taps) + bias


def selective_scan(
  u: jax.Array, step: jax.Array, a: jax.Array, b: jax.Array, c: jax.Array
) -> jax.Array:
  """C_t . s_t of s_t = exp(dt A) s_{t-1} + dt B_t u_t, from s = 0.

  Args:
    u: inputs [B, T, H].
    step: dt, [B, T, H].
    a: A, [H, S].
    b: B, [B, T, S].
    c: C, [B, T, S].
  """

  def scan(row):
    return _scan(a, *row)

  batch, rows = u.shape[0], (u, step, b, c)
  # A program that is exported is of any number of rows.
  if jax.default_backend() != 'cpu' or not isinstance(batch, int):
    return jax.vmap(scan)(rows)
  return jax.lax.map(scan, rows, batch_size=min(_ROWS, batch))


@jax.checkpoint
def _scan(
  a: jax.Array, u: jax.Array, step: jax.Array, b: jax.Array, c: jax.Array
) -> jax.Array:
  """Of one row: u, step [T, H], b, c [T, S].

  The states are made again for the gradient: kept, they would be sixteen times
  as large as all else.
  """

  def advance(state, inputs):
    u, step, b, c = inputs
    state = jnp.exp(step[:, None] * a) * state + (step * u)[:, None] * b
    return state, state @ c

  return jax.lax.scan(advance, jnp.zeros_like(a), (u, step, b, c))[1]


class Block(nn.Module):
  """z += drop(M(LN z) + flip M(flip LN' z)), the same Mamba M both ways.

  Attributes:
    precision: of the products.
  """

  precision: str = 'float32'

  @nn.compact
  def __call__(
    self, z: jax.Array, factors: jax.Array | None = None
  ) -> tuple[jax.Array, None]:
    """z [B, T, H]; factors [B], what drop path multiplies each row by."""
    forward = transformer.layer_norm()(z)
    backward = transformer.layer_norm()(z)[:, ::-1]
    both = Mamba(self.precision)(jnp.concatenate([forward, backward]))
    forward, backward = jnp.split(both, 2)
    change = forward + backward[:, ::-1]
    if factors is not None:
      change = change * factors[:, None, None]
    return z + change, None
