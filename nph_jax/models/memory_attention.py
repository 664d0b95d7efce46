"""Neighbourhood attention over the memory and one frame: eq. 3-4."""

from __future__ import annotations

import jax
import jax.numpy as jnp
from flax import linen as nn

from nph_jax.models import initializers


class MemoryAttention(nn.Module):
  """m' = softmax(m W^q ([m; x] W^k)^T / sqrt(d^k)) [m; x] W^v.

  Eq. 4 is this with the neighbourhood n_i for m. The two rows of [m; x] need
  one width, so the frame comes in already projected to the memory's (the
  paper is silent; the relational memory of reference [32] does the same).

  Attributes:
    width: Nb, width of the memory.
    scale: d^k; scores are divided by its square root.
    num_heads: heads that split the width; the paper's m is one.
    residual: whether m is added to what attention returns; eq. 3 does not.
  """

  width: int
  scale: float
  num_heads: int = 1
  residual: bool = False

  @nn.compact
  def __call__(self, memory: jax.Array, frame: jax.Array) -> jax.Array:
    """Reads memory m [B, Nb] and frame x [B, Nb], returns m' [B, Nb]."""
    rows = jnp.stack([memory, frame], axis=1)  # [B, 2, Nb]
    query = self._heads('query', memory[:, None])  # [B, 1, heads, Nb / heads]
    key = self._heads('key', rows)
    value = self._heads('value', rows)
    scores = jnp.einsum('bqhd,bshd->bhqs', query, key)
    weights = jax.nn.softmax(scores / jnp.sqrt(self.scale), axis=-1)
    read = jnp.einsum('bhqs,bshd->bqhd', weights, value)
    read = read.reshape(memory.shape)
    return memory + read if self.residual else read

  def _heads(self, name: str, rows: jax.Array) -> jax.Array:
    dense = nn.Dense(
      self.width,
      use_bias=False,
      kernel_init=initializers.xavier,
      name=name,
    )
    return dense(rows).reshape(*rows.shape[:2], self.num_heads, -1)
