"""ITQ of the frames' second moments: what `nph_tuned` begins at, untrained.

Beyond the paper, and there so that one can see what comes from the feature
(log_covariance), what from the training.
"""

from __future__ import annotations

from collections.abc import Mapping

import jax
import numpy as np

from nph_jax.data.pooled import PooledFeatures
from nph_jax.models import itq, linear_code, log_covariance


class ITQOfMoments(linear_code.LinearCode):
  """ITQ with log_covariance's vector for the mean frame."""

  @classmethod
  def build(cls, *, num_bits, num_frames, frame_dim, model, loss):
    """The registry's builder; UserError if K is above the pooled width."""
    del model, loss
    linear_code.check_width(num_bits, log_covariance.dim(frame_dim))
    return cls(num_bits, num_frames, frame_dim)

  def fit_tables(
    self, features: PooledFeatures, key: jax.Array
  ) -> dict[str, np.ndarray]:
    """log_covariance's tables, and ITQ's of the vectors that they give."""
    return fit(self.num_bits, features, key)[0]

  def init(self, key: jax.Array, tables: Mapping[str, jax.Array]):
    """The tables are the parameters."""
    del key
    names = (*log_covariance.TABLES, *linear_code.TABLES)
    return {name: tables[name] for name in names}, {}

  def relaxed_code(self, variables, frames, nearest) -> jax.Array:
    """t [B, K] of frames [B, M, L]."""
    del nearest
    centred = log_covariance.pool(frames, variables) - variables['mean']
    return centred @ variables['projection'] - variables['threshold']


def fit(
  num_bits: int, features: PooledFeatures, key: jax.Array
) -> tuple[dict[str, np.ndarray], PooledFeatures]:
  """What ITQOfMoments.fit_tables returns, and the vectors it is of."""
  frames = log_covariance.fit(features)
  pooled = log_covariance.pooled_features(features, frames)
  plain = itq.ITQ(num_bits, 0, pooled.dim)
  return {**frames, **plain.fit_tables(pooled, key)}, pooled
