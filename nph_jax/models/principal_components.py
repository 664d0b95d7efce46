"""y without training: principal components of pooled frames, unit length.

In place of the autoencoder's y, where that one's neighbours are poor: on some
hundred videos most of what an LSTM can learn is what they share. A linear
autoencoder, in closed form, of the mean frame or of log_covariance's vector.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping

import jax
import jax.numpy as jnp
import numpy as np
from flax import linen as nn

from nph_jax.data.pooled import PooledFeatures
from nph_jax.models import linear_code, log_covariance

_TINY = 1e-12


class PrincipalComponents(nn.Module):
  """The encoder's half of a linear autoencoder of pooled frames.

  Attributes:
    width: D.
    num_frames: M.
    frame_dim: L.
    second_moments: pools by log_covariance, not by the mean.
  """

  width: int
  num_frames: int
  frame_dim: int
  second_moments: bool = False

  def setup(self):
    self.encoder = self.param('encoder', lambda key: self._zeros())

  def _zeros(self) -> dict[str, jax.Array]:
    dim, tables = self.frame_dim, {}
    if self.second_moments:
      tables = log_covariance.empty_tables(dim)
      dim = log_covariance.dim(dim)
    linear = {
      'mean': jnp.zeros(dim),
      'projection': jnp.zeros((dim, self.width)),
    }
    return {**tables, **linear}

  def features(self, frames: jax.Array) -> jax.Array:
    """The feature y [B, D] of frames [B, M, L], of length one."""
    if self.second_moments:
      pooled = log_covariance.pool(frames, self.encoder)
    else:
      pooled = jnp.mean(frames, axis=1)
    centred = pooled - self.encoder['mean']
    return unit_length(centred @ self.encoder['projection'])


def unit_length(y: jax.Array) -> jax.Array:
  """The rows of y [B, D] divided by their lengths; zeros stay."""
  length = jnp.sqrt(jnp.sum(jnp.square(y), axis=-1, keepdims=True))
  return y / jnp.maximum(length, _TINY)


@dataclasses.dataclass(frozen=True)
class PrincipalComponentsMethod:
  """The same as stage 1 wants it; see autoencoder.AutoencoderMethod."""

  module: PrincipalComponents

  is_closed_form = True

  def fit_tables(
    self, features: PooledFeatures, key: jax.Array
  ) -> dict[str, np.ndarray]:
    """mean [P] and projection [P, D] and, for second moments, their tables."""
    del key
    frames = {}
    if self.module.second_moments:
      frames = log_covariance.fit(features)
      features = log_covariance.pooled_features(features, frames)
    directions, _ = linear_code.principal_directions(
      features, self.module.width
    )
    tables = {**frames, 'mean': features.mean, 'projection': directions}
    return {k: np.asarray(v, np.float32) for k, v in tables.items()}

  def init(self, key: jax.Array, tables: Mapping[str, jax.Array]):
    """The tables as parameters; zeros of their shapes without tables."""
    shape = (1, self.module.num_frames, self.module.frame_dim)
    variables = self.module.init(key, jnp.zeros(shape), method='features')
    return {'encoder': dict(tables) or variables['params']['encoder']}, {}
