"""Two masked views of a video and the contrast between them (ConMH's).

ConMH (Wang et al., AAAI 2023), S5VH, AutoSSVH and WSCH train so. Of a video's M
frames a view shows V = M - int(ratio M): those of one random permutation's
start are the first view, those of its end the second, both put back into the
order of time; each view's masked frames are to be told from its visible ones.
"""

from __future__ import annotations

from typing import NamedTuple

import jax
import jax.numpy as jnp

from nph_jax import collectives
from nph_jax.models.config import require


class Views(NamedTuple):
  """Frame numbers: visible [R, B, V] and masked [R, B, M - V] of R views."""

  visible: jax.Array
  masked: jax.Array


def num_masked(mask_ratio: float, num_frames: int) -> int:
  """int(ratio M); UserError where a view would show all frames, or none."""
  masked = int(mask_ratio * num_frames)
  require(
    'mask_ratio',
    mask_ratio,
    lambda _: 0 < masked < num_frames,
    f'such that some of the {num_frames} frames are masked and some not',
  )
  return masked


def draw(
  key: jax.Array, index: jax.Array, num_frames: int, masked: int
) -> Views:
  """Two views of each video; a video's draw depends on its row alone.

  Args:
    key: the step's, equal on all devices.
    index: rows in the training split, [B].
    num_frames: M.
    masked: M - V.
  """
  order = jax.vmap(
    lambda row: jax.random.permutation(jax.random.fold_in(key, row), num_frames)
  )(index)
  visible = num_frames - masked
  return Views(
    _in_order(order[:, :visible], order[:, masked:]),
    _in_order(order[:, visible:], order[:, :masked]),
  )


def _in_order(*views: jax.Array) -> jax.Array:
  return jnp.sort(jnp.stack(views), axis=-1)


def take(x: jax.Array, frames: jax.Array) -> jax.Array:
  """Of x [B, M, ...] the frames [R, B, V] of each view, [R B, V, ...]."""
  rows = jnp.arange(x.shape[0])[:, None]
  return x[rows, frames].reshape(-1, frames.shape[-1], *x.shape[2:])


def unit(x: jax.Array) -> jax.Array:
  """Rows of x at length one; a zero stays one, with a gradient of zero."""
  squares = jnp.sum(jnp.square(x), axis=-1, keepdims=True)
  return x * jax.lax.rsqrt(jnp.where(squares > 0, squares, 1))


def debiased_contrast(
  first: jax.Array,
  second: jax.Array,
  positive_prior: float,
  temperature: float,
  axis_name: str | None,
) -> jax.Array:
  """Debiased contrastive loss (Chuang et al., NeurIPS 2020) of two views.

  With z the 2 B rows of the global batch at length one, p_i = exp(z_i . z_i' /
  temperature) for a row and its partner, s_i the sum of the same over the N = 2
  B - 2 other rows:

    g_i = max((s_i - tau+ N p_i) / (1 - tau+), N exp(-1 / temperature))
    mean of -log(p_i / (p_i + g_i))

  Args:
    first: codes of the first view, [B, K].
    second: of the second.
    positive_prior: tau+, chance that another video is of the same kind.
    temperature: of the exponentials.
    axis_name: devices' axis under pmap.
  """
  rows = jnp.stack([unit(first), unit(second)])
  others = jnp.stack([collectives.gather(x, axis_name) for x in rows])
  count = 2 * others.shape[1] - 2
  partner = jnp.sum(rows[0] * rows[1], axis=-1) / temperature
  # A row meets neither itself nor its partner, which are of the same video.
  products = jnp.einsum('rbk,sck->rbsc', rows, others) / temperature
  size, device = first.shape[0], 0
  if axis_name is not None:
    device = jax.lax.axis_index(axis_name)
  mine = device * size + jnp.arange(size)
  same = mine[:, None] == jnp.arange(others.shape[1])
  exponentials = jnp.exp(products) * ~same[:, None, :]
  sums = exponentials.sum(axis=(2, 3))
  positive = jnp.exp(partner)
  negative = (sums - positive_prior * count * positive) / (1 - positive_prior)
  negative = jnp.maximum(negative, count * jnp.exp(-1 / temperature))
  return jnp.mean(jnp.log1p(negative / positive))
