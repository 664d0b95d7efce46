"""Dropout whose mask does not depend on the number of devices."""

from __future__ import annotations

import jax
import jax.numpy as jnp


def mask(
  key: jax.Array, shape: tuple[int, ...], rate: float, axis_name: str | None
) -> jax.Array:
  """Inverted-dropout factors for this device's part of the global batch.

  Every device draws the mask of the global batch and takes its own rows, so
  that any number of devices trains on the same masks.

  Args:
    key: the step's dropout key, the same on every device.
    shape: of the local batch, first axis the videos.
    rate: share of units dropped.
    axis_name: the devices' axis, None outside pmap.

  Returns:
    Factors 0 or 1 / (1 - rate), of `shape`.
  """
  rows, devices, device = shape[0], 1, 0
  if axis_name is not None:
    devices = jax.lax.axis_size(axis_name)
    device = jax.lax.axis_index(axis_name)
  keep = jax.random.bernoulli(key, 1 - rate, (rows * devices, *shape[1:]))
  local = jax.lax.dynamic_slice_in_dim(keep, device * rows, rows)
  return local / jnp.asarray(1 - rate, jnp.result_type(float))
