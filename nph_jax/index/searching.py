"""Searches over what is live: all or filtered, the nearest k or a radius."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from nph_jax.index import asymmetric, engines
from nph_jax.index import live as live_lib

_FIRST_DEPTH = 1000  # of a radius search, then four times as deep each time

Engine = Callable[[np.ndarray, int], tuple[np.ndarray, np.ndarray]]
# Distances, ids, and scores or None.
Found = tuple[np.ndarray, np.ndarray, np.ndarray | None]


def arrays(
  search: Engine, count: int, codes: np.ndarray, k: int
) -> tuple[np.ndarray, np.ndarray]:
  """Distances int32 [Q, k] and ids int64 [Q, k], -1 where fewer than k are.

  Args:
    search: of an engine.
    count: of videos in it.
    codes: uint8 [Q, P].
    k: at least 1.
  """
  depth = min(k, count)
  if len(codes) and depth:
    distances, ids = search(codes, depth)
    if depth == k:
      return distances, ids
  else:
    distances = np.empty((len(codes), 0), np.int32)
    ids = np.empty((len(codes), 0), np.int64)
  missing = ((0, 0), (0, k - distances.shape[1]))
  return tuple(np.pad(x, missing, constant_values=-1) for x in (distances, ids))


def by_distance(
  live: live_lib.LiveIndex,
  codes: np.ndarray,
  k: int | None,
  radius: int | None,
  where: np.ndarray | None,
) -> list[Found]:
  """Distances and ids of each query's results.

  Args:
    live: what is searched.
    codes: uint8 [Q, P].
    k: results at most, None for all within the radius.
    radius: the greatest distance, None for any.
    where: sorted ids, the only ones that count; None for all.
  """
  search, count = live.engine.search, len(live.live)
  if where is not None:
    some = live.live.subset(where)
    search, count = lambda c, k: engines.exact(some, c, k), len(some)
  # `arrays` returns as much as it is asked for, be there as many or not.
  depth = min(k or _FIRST_DEPTH, count)
  distances, ids = arrays(search, count, codes, depth)
  while k is None and depth < count and _reaches(distances, ids, radius):
    depth *= 4
    distances, ids = arrays(search, count, codes, depth)
  limit = np.iinfo(np.int32).max if radius is None else radius
  inside = (ids >= 0) & (distances <= limit)
  return [(d[m], i[m], None) for d, i, m in zip(distances, ids, inside)]


def _reaches(distances: np.ndarray, ids: np.ndarray, radius: int) -> bool:
  """Whether there may be more within the radius than was asked for."""
  return bool(((distances[:, -1] <= radius) & (ids[:, -1] >= 0)).any())


def by_t(
  live: live_lib.LiveIndex,
  codes: np.ndarray,
  t: np.ndarray,
  k: int | None,
  radius: int | None,
  where: np.ndarray | None,
) -> list[Found]:
  """As `by_distance`, but by (t . b, id), over all codes whatever the engine.

  Args:
    live, codes, k, radius, where: as of `by_distance`.
    t: float32 [Q, K].

  Returns:
    Distances, ids and cosines of t and b.
  """
  some, scan = live.live, live.scan
  if where is not None:
    some = live.live.subset(where)
    scan = asymmetric.Scan(some)
  if radius is None:
    found = scan.search(t, k) if len(some) else [np.empty(0, int)] * len(t)
    return [_scored(some, *row) for row in zip(codes, t, found)]
  results = []
  for code, query in zip(codes, t):
    distances = np.bitwise_count(some.codes ^ code).sum(axis=1)
    within = np.flatnonzero(distances <= radius)
    distances, ids, scores = _scored(some, code, query, within)
    order = np.argsort(-scores, kind='stable')[:k]
    results.append((distances[order], ids[order], scores[order]))
  return results


def _scored(
  live: live_lib.Live, code: np.ndarray, t: np.ndarray, rows: np.ndarray
) -> Found:
  codes = live.codes[rows]
  distances = np.bitwise_count(codes ^ code).sum(axis=1).astype(np.int32)
  return distances, live.ids[rows], asymmetric.cosines(codes, t)


def reranked(
  found: list[Found],
  queries: np.ndarray,
  relaxed: Callable[[np.ndarray], np.ndarray],
) -> list[Found]:
  """`found` ordered by the cosine of t, which is its score then.

  Args:
    found: of `by_distance` or `by_t`.
    queries: their t [Q, K].
    relaxed: t [n, K] of unique ids.
  """
  ids = all_ids(found)
  values, results = relaxed(ids), []
  for (distances, near, _), query in zip(found, queries):
    order, scores = _by_cosine(query, values[np.searchsorted(ids, near)])
    results.append((distances[order], near[order], scores))
  return results


def all_ids(found: list[Found]) -> np.ndarray:
  """The ids of all results, sorted, each once."""
  # An empty list would make them floats, which end to be exact at 2^53.
  none = np.empty(0, np.int64)
  return np.unique(np.concatenate([none, *(ids for _, ids, _ in found)]))


def _by_cosine(
  query: np.ndarray, found: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
  """Order [n] of t [n, K] by the cosine to t [K], and cosines by it.

  Those of zero vectors are 0. Equal ones keep their order.
  """
  found, query = found.astype(np.float64), query.astype(np.float64)
  norms = np.linalg.norm(found, axis=1) * np.linalg.norm(query)
  cosines = found @ query / np.where(norms > 0, norms, 1)
  # In steps of 2^-24: equal vectors tie, however their products were added.
  cosines = np.rint(cosines * 2**24) / 2**24
  order = np.argsort(-cosines, kind='stable')
  return order, cosines[order]
