"""y without training: a linear map of the pooled frames, at unit length.

In place of the autoencoder's y, where that one's neighbours are poor: on some
hundred videos most of what an LSTM can learn is what they share. Three kinds,
all closed forms:

  mean_frame      principal components of the mean frame,
  second_moments  principal components of log_covariance's vector,
  neighbors       the directions of that vector which neighbours share
                  (itq_neighbors).
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping

import jax
import jax.numpy as jnp
import numpy as np
from flax import linen as nn

from nph_jax.data.pooled import PooledFeatures
from nph_jax.models import itq_neighbors, linear_code, log_covariance

KINDS = ('mean_frame', 'second_moments', 'neighbors')
_TINY = 1e-12


class UntrainedFeatures(nn.Module):
  """What yields y.

  Attributes:
    kind: of KINDS.
    width: D.
    num_frames: M.
    frame_dim: L.
  """

  kind: str
  width: int
  num_frames: int
  frame_dim: int

  def setup(self):
    self.encoder = self.param('encoder', lambda key: self._zeros())

  def _zeros(self) -> dict[str, jax.Array]:
    dim, tables = self.frame_dim, {}
    if self.kind != 'mean_frame':
      tables = log_covariance.empty_tables(dim)
      dim = log_covariance.dim(dim)
    linear = {
      'mean': jnp.zeros(dim),
      'projection': jnp.zeros((dim, self.width)),
    }
    return {**tables, **linear}

  def features(self, frames: jax.Array) -> jax.Array:
    """The feature y [B, D] of frames [B, M, L], of length one."""
    if self.kind == 'mean_frame':
      pooled = jnp.mean(frames, axis=1)
    else:
      pooled = log_covariance.pool(frames, self.encoder)
    centred = pooled - self.encoder['mean']
    return unit_length(centred @ self.encoder['projection'])


def unit_length(y: jax.Array) -> jax.Array:
  """The rows of y [B, D] divided by their lengths; zeros stay."""
  length = jnp.sqrt(jnp.sum(jnp.square(y), axis=-1, keepdims=True))
  return y / jnp.maximum(length, _TINY)


@dataclasses.dataclass(frozen=True)
class UntrainedFeaturesMethod:
  """The same as stage 1 wants it; see autoencoder.AutoencoderMethod."""

  module: UntrainedFeatures

  is_closed_form = True

  def fit_tables(
    self, features: PooledFeatures, key: jax.Array
  ) -> dict[str, np.ndarray]:
    """mean [P] and projection [P, D] and, for second moments, their tables."""
    del key
    kind, width, frames = self.module.kind, self.module.width, {}
    if kind == 'neighbors':
      found = itq_neighbors.embed(features, width)
      frames, mean, projection = found.tables, found.mean, found.projection
    else:
      if kind == 'second_moments':
        frames = log_covariance.fit(features)
        features = log_covariance.pooled_features(features, frames)
      mean = features.mean
      projection, _ = linear_code.principal_directions(features, width)
    tables = {**frames, 'mean': mean, 'projection': projection}
    return {k: np.asarray(v, np.float32) for k, v in tables.items()}

  def init(self, key: jax.Array, tables: Mapping[str, jax.Array]):
    """The tables as parameters; zeros of their shapes without tables."""
    shape = (1, self.module.num_frames, self.module.frame_dim)
    variables = self.module.init(key, jnp.zeros(shape), method='features')
    return {'encoder': dict(tables) or variables['params']['encoder']}, {}
