"""Reconstructed frames as the product they are, and their error without it.

A decoder's frames are v~ = h W of its hidden states (b is a row of W). Of all
that is as large as the frames, their squared error needs one product with the
data:

  |v - h W|^2 = |v|^2 - 2 h . (v W^T) + h W W^T h^T

so that neither v~ [B, M, L] nor its gradient is ever formed, and a step has
two large products here in place of three. Only the order of rounding differs.
"""

from __future__ import annotations

import dataclasses

import jax
import jax.numpy as jnp

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
    rows = frames_first(jax.lax.stop_gradient(frames))
    ones = jnp.ones((*self.hidden.shape[:2], 1), self.hidden.dtype)
    # The bias is the row of W whose factor is always 1.
    hidden = jnp.concatenate([self.hidden, ones], axis=-1)
    kernel = jnp.concatenate([self.kernel, self.bias[None]])
    scores = matmul(rows, kernel, self.precision, transpose=True)  # v W^T
    hidden = hidden.reshape(-1, hidden.shape[-1])
    read = rounded(kernel, self.precision)
    total = (
      jnp.sum(jnp.square(rounded(frames, self.precision)))
      - 2 * jnp.sum(scores.reshape(hidden.shape) * hidden)
      + jnp.sum((hidden.T @ hidden) * (read @ read.T))
    )
    return total / frames.size
