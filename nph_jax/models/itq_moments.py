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
from nph_jax.models.method import Entry


class ITQOfMoments(linear_code.LinearCode):
  """ITQ with log_covariance's vector for the mean frame."""

  NAMES = (*log_covariance.TABLES, *linear_code.LinearCode.NAMES)

  @property
  def pooled_width(self) -> int:
    """The length of that vector."""
    return log_covariance.dim(self.frame_dim)

  def fit_tables(
    self, features: PooledFeatures, key: jax.Array
  ) -> dict[str, np.ndarray]:
    """log_covariance's tables, and ITQ's of the vectors that they give."""
    frames = log_covariance.fit(features)
    pooled = log_covariance.pooled_features(features, frames)
    plain = itq.ITQ(self.num_bits, self.num_frames, pooled.dim)
    return {**frames, **plain.fit_tables(pooled, key)}

  def table_shapes(self, num_videos: int) -> dict[str, jax.ShapeDtypeStruct]:
    """See fit_tables."""
    frames = jax.eval_shape(lambda: log_covariance.empty_tables(self.frame_dim))
    return {**frames, **super().table_shapes(num_videos)}

  def features(
    self, variables: Mapping[str, jax.Array], frames: jax.Array
  ) -> jax.Array:
    """The vectors less their mean [B, P], of frames [B, M, L]."""
    return log_covariance.pool(frames, variables) - variables['mean']


ENTRY = Entry('ITQ of second moments', ITQOfMoments.build, can_start=False)
