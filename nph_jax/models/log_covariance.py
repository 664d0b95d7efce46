"""How a video's frames vary, as one vector: the logarithm of second moments.

Beyond the paper. The mean over frames tells what a video shows on average; the
matrix C = Z^T Z / M of its second moments tells what is seen together, with
little regard to when. Z [M, P + 1] are the frames less the mean frame of all
videos, along the first P principal directions of frames, and a column of the
constant MEAN_SCALE: so C holds the video's mean as well, whose sign the second
moments of the frames alone forget, and stands for the Gaussian of its frames.
The logarithm of C + EPSILON I, the log-Euclidean form of covariance pooling,
makes distances between such matrices those of vectors and keeps a few strong
directions from deciding all. The directions enter with the fourth root of their
variance: half way between as they are and whitened.

A matrix's logarithm is a sum over C's eigenvectors, which Z turns into those of
the smaller Z Z^T / M = V diag(s) V^T:

  log(C + e I) = log(e) I + Z^T V diag(log(1 + s / e) / (s M)) V^T Z

The constant log(e) I is left out.
"""

from __future__ import annotations

from collections.abc import Mapping

import jax
import jax.numpy as jnp
import numpy as np

from nph_jax.data.pooled import PooledFeatures
from nph_jax.models import linear_code

MAX_WIDTH = 64  # P
EPSILON = 0.01  # of the mean variance along the directions, which is 1
MEAN_SCALE = 3.0
CONSTANTS = MAX_WIDTH, EPSILON, MEAN_SCALE  # other ones, other vectors
TABLES = ('frame_mean', 'frame_directions')
_TINY = 1e-6
_NO_VARIANCE = 1e-10


def dim(frame_dim: int) -> int:
  """The length of the vector of frames of width L: (P + 1) (P + 2) / 2."""
  width = min(MAX_WIDTH, frame_dim) + 1
  return width * (width + 1) // 2


def fit(features: PooledFeatures) -> dict[str, np.ndarray]:
  """frame_mean [L] and frame_directions [L, P], from a frame of each video."""
  frames = features.pooled_by(_one_frame_each, features.dim)
  width = min(MAX_WIDTH, frames.dim)
  directions, variances = linear_code.principal_directions(frames, width)
  directions = directions * np.maximum(variances, _NO_VARIANCE) ** -0.25
  power = np.sum(np.sqrt(variances)) / width
  tables = {
    'frame_mean': frames.mean,
    'frame_directions': directions / np.sqrt(power),
  }
  return {k: np.asarray(v, np.float32) for k, v in tables.items()}


def _one_frame_each(frames: np.ndarray) -> np.ndarray:
  """Frames of all times, one of each video, [B, L]."""
  rows = np.arange(len(frames))
  return frames[rows, rows % frames.shape[1]]


def pool(frames: jax.Array, tables: Mapping[str, jax.Array]) -> jax.Array:
  """The upper triangle of the logarithm, [B, dim].

  Entries off the diagonal times sqrt(2), so that the vectors' inner product is
  that of the matrices.

  Args:
    frames: [B, M, L].
    tables: of `fit`.
  """
  z = (frames - tables['frame_mean']) @ tables['frame_directions']
  constant = jnp.full((*z.shape[:2], 1), MEAN_SCALE, z.dtype)
  z = jnp.concatenate([z, constant], axis=-1)
  num_frames, width = z.shape[1:]
  values, vectors = _eigh(z @ jnp.swapaxes(z, 1, 2) / num_frames)
  values = jnp.maximum(values, _TINY)
  scale = jnp.log1p(values / EPSILON) / (values * num_frames)
  along = jnp.swapaxes(vectors, 1, 2) @ z
  logarithm = jnp.swapaxes(along, 1, 2) @ (scale[..., None] * along)
  rows, columns = np.triu_indices(width)
  weights = np.where(rows == columns, 1, np.sqrt(2)).astype(np.float32)
  return logarithm[:, rows, columns] * weights


def _eigh(matrices: jax.Array) -> tuple[jax.Array, jax.Array]:
  """Eigenvalues [B, M] and eigenvectors [B, M, M] of symmetric matrices.

  One by one on a CPU: for a batch, LAPACK's call waits in one of XLA's threads
  for work that it gives to the others, and as many such calls at once as there
  are threads, of one program or of several in flight, wait for ever.
  """
  return jax.lax.platform_dependent(
    matrices,
    cpu=lambda x: jax.lax.map(_decompose, x),
    default=_decompose,
  )


def _decompose(matrices: jax.Array) -> tuple[jax.Array, jax.Array]:
  return tuple(jnp.linalg.eigh(matrices))


def pooled_features(
  features: PooledFeatures, tables: Mapping[str, np.ndarray]
) -> PooledFeatures:
  """The same videos, pooled so with tables of `fit`."""
  # As an exported hasher pools them; by default a GPU's products are TF32.
  jitted = jax.jit(jax.default_matmul_precision('highest')(pool))
  return features.pooled_by(
    lambda frames: np.asarray(jitted(frames.astype(np.float32), tables)),
    dim(features.dim),
  )


def empty_tables(frame_dim: int) -> dict[str, jax.Array]:
  """Zeros of the shapes of `fit`'s tables."""
  width = min(MAX_WIDTH, frame_dim)
  return {
    'frame_mean': jnp.zeros(frame_dim),
    'frame_directions': jnp.zeros((frame_dim, width)),
  }
