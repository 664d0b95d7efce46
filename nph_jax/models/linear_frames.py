"""Reconstructed frames as the product they are, and their error without it.

A decoder's frames are v~ = h W + b of its hidden states. Of all that is as
large as the frames, their squared error needs one product with the data:

  |c - h W|^2 = |c|^2 - 2 h . (c W^T) + h W W^T h^T,  c = v - b,
  c W^T = v W^T - b W^T,  sum |c|^2 = sum |v|^2 - 2 b . sum v + R |b|^2

over R frames, so that neither v~ [B, M, L] nor its gradient is ever formed,
and a step has two large products here in place of three. Only the order of
rounding differs. v and b enter less b's present value: a mean of the frames
that is large beside their error would cancel in these sums.
"""

from __future__ import annotations

import dataclasses

import jax
import jax.numpy as jnp

from nph_jax import losses
from nph_jax.models.precision import matmul, rounded
from nph_jax.models.recurrence import frames_first


@jax.tree_util.register_dataclass
@dataclasses.dataclass(frozen=True)
class LinearFrames:
  """Frames h W + b.

  Attributes:
    hidden: h, frame-major, [M, B, H].
    kernel: W, [H, L].
    bias: b, [L].
    precision: of the products.
  """

  hidden: jax.Array
  kernel: jax.Array
  bias: jax.Array
  precision: str = dataclasses.field(metadata={'static': True})

  def reverse(self) -> LinearFrames:
    """The same frames, last one first."""
    return dataclasses.replace(self, hidden=self.hidden[::-1])

  def frames(self) -> jax.Array:
    """v~ [B, M, L]."""
    product = matmul(self.hidden, self.kernel, self.precision)
    return frames_first(product + self.bias)

  def mean_squared_error(self, frames: jax.Array) -> jax.Array:
    """Mean of (v - v~)^2 over all values of v [B, M, L], constants here."""
    centre = jax.lax.stop_gradient(self.bias)
    rows = frames_first(jax.lax.stop_gradient(frames)) - centre
    hidden = self.hidden.reshape(-1, self.hidden.shape[-1])
    kernel = rounded(self.kernel, self.precision)
    bias = self.bias - centre  # zero, with a gradient
    scores = matmul(rows, self.kernel, self.precision, transpose=True)
    scores = scores.reshape(hidden.shape) - kernel @ bias  # c W^T
    read = rounded(rows, self.precision)
    squares = (
      jnp.sum(jnp.square(read))
      - 2 * jnp.sum(read, axis=(0, 1)) @ bias
      + len(hidden) * (bias @ bias)
    )
    total = (
      squares
      - 2 * jnp.sum(scores * hidden)
      + jnp.sum((hidden.T @ hidden) * (kernel @ kernel.T))
    )
    return total / frames.size


def mean_squared_error(
  frames: jax.Array, reconstruction: jax.Array | LinearFrames
) -> jax.Array:
  """L_vr, eq. 16, of frames [B, M, L], rebuilt as an array or a product."""
  if isinstance(reconstruction, LinearFrames):
    return reconstruction.mean_squared_error(frames)
  return losses.visual_reconstruction(frames, reconstruction)
