"""Codes that are signs of a linear map of the mean frame; principal directions.

The shallow methods hash frames: the reference [18]'s extension to video, of
which the paper tells no more, is read as the mean over a video's frames.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import scipy.linalg

from nph_jax import errors
from nph_jax.data.pooled import PooledFeatures
from nph_jax.models.method import PooledMethod, float_tables

# Directions with less of the largest variance are rounding, or no data's.
_NO_VARIANCE = 1e-10


@dataclasses.dataclass(frozen=True)
class LinearCode(PooledMethod):
  """A closed form: t = (pooled video - mean) projection - threshold.

  What remains to be given is `fit_tables`, which returns mean [P], projection
  [P, K] and threshold [K], float32; and `features`, `pooled_width` and `NAMES`
  where a video is pooled otherwise than by the mean of its frames.
  """

  is_closed_form = True
  NAMES = ('mean', 'projection', 'threshold')  # of its tables

  def table_shapes(self, num_videos: int) -> dict[str, jax.ShapeDtypeStruct]:
    """See fit_tables."""
    del num_videos
    width, bits = self.pooled_width, self.num_bits
    return float_tables(
      mean=(width,), projection=(width, bits), threshold=(bits,)
    )

  def init(self, key: jax.Array, tables: Mapping[str, jax.Array]):
    """The tables are the parameters."""
    del key
    return {name: tables[name] for name in self.NAMES}, {}

  def inference_variables(self, params, collections) -> dict[str, Any]:
    """The parameters."""
    del collections
    return params

  def features(
    self, variables: Mapping[str, jax.Array], frames: jax.Array
  ) -> jax.Array:
    """The pooled videos less their mean [B, P], of frames [B, M, L]."""
    return jnp.mean(frames, axis=1) - variables['mean']

  def relaxed_code(self, variables, frames, nearest) -> jax.Array:
    """t [B, K] of frames [B, M, L]."""
    del nearest
    projected = self.features(variables, frames) @ variables['projection']
    return projected - variables['threshold']


def linear_tables(
  mean: np.ndarray, projection: np.ndarray, threshold: np.ndarray
) -> dict[str, np.ndarray]:
  """What LinearCode.fit_tables returns, as float32."""
  values = (mean, projection, threshold)
  return {
    k: np.asarray(v, np.float32) for k, v in zip(LinearCode.NAMES, values)
  }


def principal_directions(
  features: PooledFeatures, count: int
) -> tuple[np.ndarray, np.ndarray]:
  """The first principal directions of the pooled features.

  Args:
    features: of the training videos.
    count: P, at most L.

  Returns:
    The directions, unit columns [L, P], and the variances [P] along them,
    descending, both float64. A direction without variance, as of rank N - 1 on
    if that is below P, is all zero: videos to come should not be told apart by
    what none of the training videos shows.

  Raises:
    UserError: all videos are the same.
  """
  solve = _of_few if features.are_few else _of_many
  variances, directions = solve(features, count)
  if variances[0] <= 0:
    raise errors.UserError(
      'the training videos all have the same mean frame; give '
      '--config.data.train.features a file of different videos.'
    )
  # Either sign is an eigenvector; this one is the same everywhere.
  largest = np.argmax(np.abs(directions), axis=0)
  directions = directions * np.sign(directions[largest, np.arange(count)])
  seen = variances > _NO_VARIANCE * variances[0]
  return directions * seen, variances * seen


def _of_many(
  features: PooledFeatures, count: int
) -> tuple[np.ndarray, np.ndarray]:
  """The largest eigenvalues [P] of the covariance, and their vectors [L, P]."""
  last = (features.dim - count, features.dim - 1)
  values, vectors = scipy.linalg.eigh(features.covariance, subset_by_index=last)
  return values[::-1], vectors[:, ::-1]


def _of_few(
  features: PooledFeatures, count: int
) -> tuple[np.ndarray, np.ndarray]:
  """The same of X^T X / N by way of X X^T, which is smaller; else zeros."""
  x = features.centred
  found = min(count, len(x))
  last = (len(x) - found, len(x) - 1)
  values, vectors = scipy.linalg.eigh(x @ x.T, subset_by_index=last)
  directions = x.T @ vectors[:, ::-1]
  length = np.linalg.norm(directions, axis=0)
  directions /= np.where(length > 0, length, 1)
  missing = count - found
  return (
    np.pad(values[::-1] / len(x), (0, missing)),
    np.pad(directions, ((0, 0), (0, missing))),
  )
