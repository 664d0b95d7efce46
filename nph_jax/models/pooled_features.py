"""y without training: principal components of the mean frame, unit length.

In place of the autoencoder's y, where that one's neighbours are poor: on some
hundred videos most of what an LSTM can learn is what they share. A linear
autoencoder of mean frames, in closed form.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping

import jax
import jax.numpy as jnp
import numpy as np
from flax import linen as nn

from nph_jax.data.pooled import PooledFeatures
from nph_jax.models import linear_code

_TINY = 1e-12


class PrincipalComponents(nn.Module):
  """The encoder's half of a linear autoencoder of mean frames.

  Attributes:
    width: D.
    num_frames: M.
    frame_dim: L.
  """

  width: int
  num_frames: int
  frame_dim: int

  def setup(self):
    zeros = nn.initializers.zeros
    shapes = {
      'mean': (self.frame_dim,),
      'projection': (self.frame_dim, self.width),
    }
    self.encoder = self.param(
      'encoder', lambda key: {k: zeros(key, s) for k, s in shapes.items()}
    )

  def features(self, frames: jax.Array) -> jax.Array:
    """The feature y [B, D] of frames [B, M, L], of length one."""
    centred = jnp.mean(frames, axis=1) - self.encoder['mean']
    y = centred @ self.encoder['projection']
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
    """mean [L] and projection [L, D] of the training videos."""
    del key
    directions, _ = linear_code.principal_directions(
      features, self.module.width
    )
    tables = {'mean': features.mean, 'projection': directions}
    return {k: np.asarray(v, np.float32) for k, v in tables.items()}

  def init(self, key: jax.Array, tables: Mapping[str, jax.Array]):
    """The tables as parameters; zeros of their shapes without tables."""
    shape = (1, self.module.num_frames, self.module.frame_dim)
    variables = self.module.init(key, jnp.zeros(shape), method='features')
    return {'encoder': dict(tables) or variables['params']['encoder']}, {}
