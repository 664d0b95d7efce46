"""NPH begun at ITQ of second moments: what it learns is added to that code.

Beyond the paper. The same encoder, decoder and losses as NPH. t is the sum of
three: ITQ's linear map of the video's pooled second moments (log_covariance),
scaled to values of mean square one and fixed; what is learned to add to that
map; and the hash layer of the encoded video (eq. 10). The last two begin at
zero, so the first code is ITQ's on those features, and training has to earn
what it changes. The loss has one more term,

  P / N mean |t - t_0|^2 / K

t_0 the fixed part: a Gaussian prior around the start, worth P videos. Where
videos are few it holds the code near its start, where they are many it counts
for little.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping

import jax
import jax.numpy as jnp
import numpy as np

from nph_jax.data.pooled import PooledFeatures
from nph_jax.models import itq_moments, linear_code, log_covariance
from nph_jax.models.hashing_method import HashingMethod
from nph_jax.models.method import fields_of
from nph_jax.models.nph import NPH


@dataclasses.dataclass(frozen=True)
class TunedMethod(HashingMethod):
  """HashingMethod of a module with `linear_code`, whose start it fits.

  Attributes:
    start_videos: P, how many videos the start is worth.
  """

  start_videos: float = 0.0

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
    """As HashingMethod, with ITQ's map and a silent hash layer."""
    params, collections = super().init(key, tables)
    silent = jax.tree.map(jnp.zeros_like, params['hash_layer'])
    names = (*log_covariance.TABLES, 'mean', 'projection')
    start = {'tables': {name: tables[name] for name in names}}
    fixed = {log_covariance.COLLECTION: {'linear_code': start}}
    return {**params, 'hash_layer': silent}, {**collections, **fixed}

  def prior(self, outputs, tables):
    """The change of t, and its weight P / N."""
    change = jnp.mean(jnp.square(outputs.change))
    weight = self.start_videos / len(tables['anchor_indices'])
    return {'change': change}, {'change': weight}


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
  return TunedMethod(module, **fields_of(TunedMethod, loss))
