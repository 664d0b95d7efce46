"""The losses of section 3.2, each a pure function of arrays.

Every function returns the mean over the videos of this device; the mean over
devices is then the loss of the global batch, since all hold equally many.
"""

from __future__ import annotations

import jax
import jax.numpy as jnp


def neighborhood_similarity(
  relaxed_rows: jax.Array, relaxed_columns: jax.Array, similarity: jax.Array
) -> jax.Array:
  """First term of L_s, eq. 15: mean (S_ij - t_i . t_j / k)^2.

  Args:
    relaxed_rows: t_i, [B, K].
    relaxed_columns: t_j, [B2, K].
    similarity: S in {-1, 1}, [B, B2].
  """
  estimate = relaxed_rows @ relaxed_columns.T / relaxed_rows.shape[-1]
  return jnp.mean(jnp.square(similarity - estimate))


def quantization(binary: jax.Array, relaxed: jax.Array) -> jax.Array:
  """Second term of L_s, eq. 15: mean over videos of |b - t|^2 / k, [B, K]."""
  return jnp.mean(jnp.square(binary - relaxed))


def visual_reconstruction(
  frames: jax.Array, reconstruction: jax.Array
) -> jax.Array:
  """L_vr, eq. 16: mean squared error of the frames, both [B, M, L]."""
  return jnp.mean(jnp.square(frames - reconstruction))


def neighborhood_reconstruction(
  neighborhood: jax.Array, reconstruction: jax.Array
) -> jax.Array:
  """L_nr, eq. 17: mean squared error of n_i, both [B, Nb]."""
  return jnp.mean(jnp.square(neighborhood - reconstruction))
