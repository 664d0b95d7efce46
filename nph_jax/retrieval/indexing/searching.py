"""Searches over what is live: all or filtered, the nearest k or a radius."""

from __future__ import annotations

import numpy as np

from nph_jax.retrieval.indexing import engines, live_index, reranking

_FIRST_DEPTH = 1000  # of a radius search, then four times as deep each time


def arrays(
  engine: engines.Engine, count: int, codes: np.ndarray, k: int
) -> tuple[np.ndarray, np.ndarray]:
  """Distances int32 [Q, k] and ids int64 [Q, k], -1 where fewer than k are.

  Args:
    engine: what searches.
    count: of videos in it.
    codes: uint8 [Q, P].
    k: at least 1.
  """
  depth = min(k, count)
  if len(codes) and depth:
    distances, ids = engine.search(codes, depth)
    if depth == k:
      return distances, ids
  else:
    distances = np.empty((len(codes), 0), np.int32)
    ids = np.empty((len(codes), 0), np.int64)
  missing = ((0, 0), (0, k - distances.shape[1]))
  return tuple(np.pad(x, missing, constant_values=-1) for x in (distances, ids))


def ranked(
  live: live_index.LiveIndex,
  codes: np.ndarray,
  k: int | None,
  radius: int | None,
  where: np.ndarray | None,
) -> list[tuple[np.ndarray, np.ndarray]]:
  """Distances and ids of each query's results.

  Args:
    live: what is searched.
    codes: uint8 [Q, P].
    k: results at most, None for all within the radius.
    radius: the greatest distance, None for any.
    where: sorted ids, the only ones that count; None for all.
  """
  engine, count = live.engine, len(live.live)
  if where is not None:
    engine = live.subset(where)
    count = len(engine)
  # `arrays` returns as much as it is asked for, be there as many or not.
  depth = min(k or _FIRST_DEPTH, count)
  distances, ids = arrays(engine, count, codes, depth)
  while k is None and depth < count and _reaches(distances, ids, radius):
    depth *= 4
    distances, ids = arrays(engine, count, codes, depth)
  limit = np.iinfo(np.int32).max if radius is None else radius
  inside = (ids >= 0) & (distances <= limit)
  return [(d[m], i[m]) for d, i, m in zip(distances, ids, inside)]


def _reaches(distances: np.ndarray, ids: np.ndarray, radius: int) -> bool:
  """Whether there may be more within the radius than was asked for."""
  return bool(((distances[:, -1] <= radius) & (ids[:, -1] >= 0)).any())


def reranked(
  live: live_index.LiveIndex,
  found: list[tuple[np.ndarray, np.ndarray]],
  relaxed: np.ndarray,
) -> list[tuple[np.ndarray, np.ndarray, np.ndarray]]:
  """`found` ordered by the cosine of t, which is added to it.

  Args:
    live: what was searched.
    found: of `ranked`.
    relaxed: t of the queries [Q, K].
  """
  results = []
  for (distances, ids), query in zip(found, relaxed):
    order, cosines = reranking.order(query, live.values('relaxed', ids))
    results.append((distances[order], ids[order], cosines))
  return results
