"""NPH begun at ITQ of second moments: what it learns is added to that code.

Beyond the paper. The same encoder, decoder and losses as NPH. t is the sum of
the hash layer of the encoded video (eq. 10), whose weights start at zero, and
of a linear map of the video's pooled second moments (log_covariance), which
starts as ITQ's, scaled to values of mean square one. So the first code is ITQ's
on those features, and training has to earn what it changes.
"""

from __future__ import annotations

from collections.abc import Mapping

import jax
import jax.numpy as jnp
import numpy as np

from nph_jax.data.pooled import PooledFeatures
from nph_jax.models import itq_moments, linear_code, log_covariance
from nph_jax.models.hashing_method import HashingMethod
from nph_jax.models.method import fields_of
from nph_jax.models.nph import NPH


class TunedMethod(HashingMethod):
  """HashingMethod of a module with `linear_code`, whose start it fits."""

  def fit_tables(
    self, features: PooledFeatures, key: jax.Array
  ) -> dict[str, np.ndarray]:
    """itq_moments' tables, its projection scaled; no thresholds."""
    tables, pooled = itq_moments.fit(self.num_bits, features, key)
    del tables['threshold']
    projection = tables['projection'].astype(np.float64)
    power = np.sum(projection * (pooled.covariance @ projection))
    scaled = projection * np.sqrt(self.num_bits / power)
    return {**tables, 'projection': scaled.astype(np.float32)}

  def init(self, key: jax.Array, tables: Mapping[str, jax.Array]):
    """As HashingMethod, from ITQ's map and a silent hash layer."""
    params, collections = super().init(key, tables)
    start = {
      'kernel': tables['projection'],
      'bias': -tables['mean'] @ tables['projection'],
    }
    silent = jax.tree.map(jnp.zeros_like, params['hash_layer'])
    params = {**params, 'linear_code': {'linear': start}, 'hash_layer': silent}
    frames = {k: tables[k] for k in log_covariance.TABLES}
    fixed = {log_covariance.COLLECTION: {'linear_code': {'tables': frames}}}
    return params, {**collections, **fixed}


def build(
  *, num_bits: int, num_frames: int, frame_dim: int, model: dict, loss: dict
) -> TunedMethod:
  """The registry's builder; UserError if K is above the pooled width."""
  linear_code.check_width(num_bits, log_covariance.dim(frame_dim))
  module = NPH(
    num_bits,
    num_frames,
    frame_dim,
    reconstructs_neighborhood=loss['weights']['neighborhood'] > 0,
    adds_linear_code=True,
    **fields_of(NPH, model),
  )
  return TunedMethod(module, **fields_of(HashingMethod, loss))
