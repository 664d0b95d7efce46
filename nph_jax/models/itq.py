"""ITQ: iterative quantisation (Gong and Lazebnik, CVPR 2011).

The principal components V [N, K] of the pooled features, and the rotation R
that brings V R nearest to its own signs: in turns B = sgn(V R), and R the
solution of Procrustes' problem for |B - V R|_F, 50 times, from a random
rotation. The code is sgn((x - mean) W R), W the principal directions.

Interpreted: a video is its mean frame (linear_code). Where the training videos
span fewer than K directions, the rotation still spreads those over K bits.
"""

from __future__ import annotations

import jax
import numpy as np

from nph_jax.data.pooled import PooledFeatures
from nph_jax.models import linear_code
from nph_jax.models.method import Entry

NUM_ITERATIONS = 50


class ITQ(linear_code.LinearCode):
  """PCA and a rotation."""

  def fit_tables(
    self, features: PooledFeatures, key: jax.Array
  ) -> dict[str, np.ndarray]:
    """mean, W R as projection, and thresholds of zero."""
    directions, _ = linear_code.principal_directions(features, self.num_bits)
    projected = features.project(directions)
    rotation = fit_rotation(projected, random_rotation(key, self.num_bits))
    return linear_code.linear_tables(
      features.mean, directions @ rotation, np.zeros(self.num_bits)
    )


ENTRY = Entry('ITQ', ITQ.build, can_start=False)


def random_rotation(key: jax.Array, size: int) -> np.ndarray:
  """An orthogonal matrix [size, size], float64, uniform over all of them."""
  normal = np.asarray(jax.random.normal(key, (size, size)), np.float64)
  orthogonal, triangular = np.linalg.qr(normal)
  return orthogonal * np.sign(np.diag(triangular))


def fit_rotation(
  projected: np.ndarray,
  rotation: np.ndarray,
  num_iterations: int = NUM_ITERATIONS,
) -> np.ndarray:
  """The rotation R [K, K] after so many rounds from `rotation`.

  No round raises |sgn(V R) - V R|_F.

  Args:
    projected: V, [N, K].
    rotation: to start from, orthogonal.
    num_iterations: rounds.
  """
  for _ in range(num_iterations):
    binary = np.where(projected @ rotation >= 0, 1.0, -1.0)
    left, _, right = np.linalg.svd(projected.T @ binary)
    rotation = left @ right
  return rotation
