"""Transformer blocks, which ConMH, BTH, WSCH and their kin share."""

from __future__ import annotations

from collections.abc import Callable

import jax
import jax.numpy as jnp
import numpy as np
from flax import linen as nn

from nph_jax.models import dropout, initializers
from nph_jax.models.precision import matmul

MLP_FACTOR = 4  # inner width of a block's MLP over H


class Affine(nn.Module):
  """W [N, width] and b [width] of x W + b.

  Attributes:
    width: of the result.
    use_bias: whether b is learned, from zero on; else it stays zero.
    kernel_init: of W.
  """

  width: int
  use_bias: bool = True
  kernel_init: nn.initializers.Initializer = initializers.xavier

  @nn.compact
  def __call__(self, rows: int) -> tuple[jax.Array, jax.Array]:
    """W and b for x [..., rows]."""
    kernel = self.param('kernel', self.kernel_init, (rows, self.width))
    zeros = nn.initializers.zeros
    if not self.use_bias:
      return kernel, zeros(None, (self.width,))
    return kernel, self.param('bias', zeros, (self.width,))


class Dense(Affine):
  """x W + b, the product in a stated precision; see precision.matmul."""

  precision: str = 'float32'

  def __call__(self, x: jax.Array) -> jax.Array:
    """Returns [..., width]."""
    kernel, bias = super().__call__(x.shape[-1])
    return matmul(x, kernel, self.precision) + bias


class Dropout(nn.Module):
  """Dropout that is the same on any number of devices.

  Attributes:
    rate: share of values set to zero.
    axis_name: devices' axis under pmap.
  """

  rate: float
  axis_name: str | None = None

  def __call__(self, x: jax.Array, train: bool) -> jax.Array:
    """x [B, ...], with zeros in it in training."""
    if not (train and self.rate):
      return x
    key = self.make_rng('dropout')
    return x * dropout.mask(key, x.shape, self.rate, self.axis_name)


class Attention(nn.Module):
  """softmax(Q K^T / sqrt(width)) V of a few heads, and a linear map of them.

  A bias of K adds the same to all scores of a row, which the softmax cancels:
  there is none, whatever an original has.

  Attributes:
    num_heads: heads.
    head_width: of each.
    use_bias: of Q and V.
    dropout_rate: of the softmax's values.
    axis_name: devices' axis under pmap.
    precision: of all products but those between frames.
    kernel_init: of the four maps.
  """

  num_heads: int
  head_width: int
  use_bias: bool = True
  dropout_rate: float = 0.0
  axis_name: str | None = None
  precision: str = 'float32'
  kernel_init: nn.initializers.Initializer = initializers.xavier

  @nn.compact
  def __call__(self, x: jax.Array, train: bool = False) -> jax.Array:
    """Returns [B, T, H], as x."""
    width = self.num_heads * self.head_width
    maps = [
      Affine(width, use_bias, self.kernel_init, name=name)(x.shape[-1])
      for name, use_bias in (
        ('query', self.use_bias),
        ('key', False),
        ('value', self.use_bias),
      )
    ]
    # A wide product is faster than three narrow ones.
    kernel, bias = (jnp.concatenate(each, axis=-1) for each in zip(*maps))
    linear = matmul(x, kernel, self.precision) + bias
    heads = (*x.shape[:-1], 3, self.num_heads, self.head_width)
    linear = linear.reshape(heads)
    q, k, v = (jnp.swapaxes(linear[..., i, :, :], 1, 2) for i in range(3))
    scores = jnp.einsum('bhqd,bhkd->bhqk', q, k) * self.head_width**-0.5
    weights = nn.softmax(scores)
    drop = Dropout(self.dropout_rate, axis_name=self.axis_name)
    read = jnp.einsum('bhkd,bhqk->bqhd', v, drop(weights, train))
    out = Dense(
      x.shape[-1],
      kernel_init=self.kernel_init,
      precision=self.precision,
      name='out',
    )
    return out(read.reshape(*x.shape[:-1], width))


class Block(nn.Module):
  """z += attention(LN z); z += MLP(LN z), as in ViT; its GELU is exact.

  Attributes:
    num_heads: heads, each of width H // num_heads.
    precision: of the products.
  """

  num_heads: int
  precision: str = 'float32'

  @nn.compact
  def __call__(self, z: jax.Array, _: None = None) -> tuple[jax.Array, None]:
    """z [B, T, H], as nn.scan calls it."""
    width = z.shape[-1]
    attention = Attention(
      self.num_heads, width // self.num_heads, precision=self.precision
    )
    z = z + attention(layer_norm()(z))
    inner = Dense(MLP_FACTOR * width, precision=self.precision)
    outer = Dense(width, precision=self.precision)
    return z + outer(gelu(inner(layer_norm()(z)))), None


def gelu(x: jax.Array) -> jax.Array:
  """x Phi(x), Phi that of the normal distribution: the exact GELU.

  By erf, where jax.nn has erfc: relative accuracy far below zero, where this is
  zero, and twice the time.
  """
  return x * (0.5 + 0.5 * jax.lax.erf(x * 0.5**0.5))


def layer_norm(epsilon: float = 1e-6) -> nn.LayerNorm:
  """Over the last axis; the variance in two passes, for rows far from zero."""
  return nn.LayerNorm(epsilon, use_fast_variance=False)


# A block whose backward pass makes again all but its products: less is written
# and read than all its intermediate values would be.
LeanBlock = nn.remat(
  Block, prevent_cse=False, policy=jax.checkpoint_policies.dots_saveable
)


def stack(block: Callable[..., nn.Module], length: int, **fields) -> nn.Module:
  """`length` blocks in a row as one scan, compiled once: call(z, xs)[0].

  Args:
    block: the class; its `__call__(z, x)` returns (z, None).
    length: how many.
    **fields: of every block.
  """
  scan = nn.scan(
    block,
    variable_axes={'params': 0},
    split_rngs={'params': True, 'dropout': True},
    length=length,
  )
  return scan(**fields)


def sine_table(length: int, width: int) -> np.ndarray:
  """Positions [T, H]: sin(t / 10000^(2i / H)) at 2i, cos of it at 2i + 1."""
  even = np.arange(width) // 2 * 2
  angles = np.arange(length)[:, None] / 10_000 ** (even / width)
  return np.where(np.arange(width) % 2, np.cos(angles), np.sin(angles))
