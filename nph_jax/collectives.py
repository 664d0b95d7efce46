"""What a step may ask of the other devices, inside `train.train_step`.

A method's loss sees the videos of one device. A term that crosses videos, such
as L_s, takes those of the whole batch from here, so that its value does not
depend on the number of devices.
"""

from __future__ import annotations

import jax


def gather(x: jax.Array, axis_name: str | None) -> jax.Array:
  """The rows of all devices, in the order of the global batch.

  Differentiable: the gradient of a row goes back to its own device.

  Args:
    x: this device's rows, [B, ...].
    axis_name: devices' axis under pmap; None for a single device.

  Returns:
    [devices * B, ...].
  """
  if axis_name is None:
    return x
  return jax.lax.all_gather(x, axis_name, tiled=True)


def mean(x: jax.Array, axis_name: str | None) -> jax.Array:
  """The mean of x over the devices, of the shape of x."""
  return x if axis_name is None else jax.lax.pmean(x, axis_name)
