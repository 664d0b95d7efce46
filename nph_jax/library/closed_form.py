"""A hash function learned in closed form from videos in memory or a store."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping

import jax
import numpy as np

from nph_jax.data import pooled
from nph_jax.export import bundle
from nph_jax.models import itq_moments, itq_neighbors, linear_code

METHODS: dict[str, type[linear_code.LinearCode]] = {
  'itq_moments': itq_moments.ITQOfMoments,
  'itq_neighbors': itq_neighbors.ITQOfNeighbors,
}
_BLOCK_SIZE = 32  # videos that the hasher takes at a time
_SEED = 0


def fit(
  method: str,
  num_bits: int,
  read: Callable[[], Iterator[np.ndarray]],
  shape: tuple[int, int, int],
) -> dict[str, np.ndarray]:
  """The tables of a method, learned from videos.

  Args:
    method: of METHODS.
    num_bits: K.
    read: starts a pass over the videos, blocks [B, M, L].
    shape: (N, M, L).

  Raises:
    UserError: fewer videos than the method needs, or all the same.
  """
  count, num_frames, width = shape
  features = pooled.PooledFeatures(
    lambda: (x.mean(axis=1, dtype=np.float32) for x in read()),
    count,
    width,
    read,
  )
  made = METHODS[method](num_bits, num_frames, width)
  return made.fit_tables(features, jax.random.key(_SEED))


def export(
  method: str,
  tables: Mapping[str, np.ndarray],
  num_frames: int,
  about: Mapping[str, object],
) -> bundle.Bundle:
  """The hasher of `fit`'s tables.

  Args:
    method: whose tables they are.
    tables: of `fit`.
    num_frames: M.
    about: further entries of the bundle's manifest.
  """
  width, num_bits = len(tables['frame_mean']), tables['projection'].shape[1]
  made = METHODS[method](num_bits, num_frames, width)
  variables, _ = made.init(jax.random.key(_SEED), tables)
  described = {'method': method, 'step': 0, 'config': {'seed': _SEED}, **about}
  return bundle.build(made, variables, None, _BLOCK_SIZE, described)
