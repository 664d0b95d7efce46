"""NPH begun at ITQ: what it learns is added to a code that already works.

The same encoder, decoder and losses as NPH. t is the sum of the hash layer of
the encoded video (eq. 10), whose weights start at zero, and of a linear map of
the mean frame, which starts as ITQ's, scaled to values of mean square one. So
the first code is ITQ's, and training has to earn what it changes.
"""

from __future__ import annotations

from collections.abc import Mapping

import jax
import jax.numpy as jnp
import numpy as np

from nph_jax.data.pooled import PooledFeatures
from nph_jax.models import itq, linear_code
from nph_jax.models.method import HashingMethod, fields_of
from nph_jax.models.nph import NPH


class TunedMethod(HashingMethod):
  """HashingMethod of a module with `linear_code`, whose start it fits."""

  def fit_tables(
    self, features: PooledFeatures, key: jax.Array
  ) -> dict[str, np.ndarray]:
    """ITQ's mean and projection, the latter scaled."""
    tables = itq.ITQ(self.num_bits, self.num_frames, self.frame_dim).fit_tables(
      features, key
    )
    projection = tables['projection'].astype(np.float64)
    power = np.trace(projection.T @ features.covariance @ projection)
    scaled = projection * np.sqrt(self.num_bits / power)
    return {'mean': tables['mean'], 'projection': scaled.astype(np.float32)}

  def init(self, key: jax.Array, tables: Mapping[str, jax.Array]):
    """As HashingMethod, from ITQ's map and a silent hash layer."""
    params, collections = super().init(key, tables)
    start = {
      'kernel': tables['projection'],
      'bias': -tables['mean'] @ tables['projection'],
    }
    silent = jax.tree.map(jnp.zeros_like, params['hash_layer'])
    params = {**params, 'linear_code': start, 'hash_layer': silent}
    return params, collections


def build(
  *, num_bits: int, num_frames: int, frame_dim: int, model: dict, loss: dict
) -> TunedMethod:
  """The registry's builder; UserError if K is above L."""
  linear_code.check_width(num_bits, frame_dim)
  module = NPH(
    num_bits,
    num_frames,
    frame_dim,
    reconstructs_neighborhood=loss['weights']['neighborhood'] > 0,
    adds_linear_code=True,
    **fields_of(NPH, model),
  )
  return TunedMethod(module, **fields_of(HashingMethod, loss))
