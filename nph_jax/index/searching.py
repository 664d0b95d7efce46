"""Searches over what is live: all or filtered, the nearest k or a radius."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import NamedTuple

import numpy as np

from nph_jax.index import asymmetric, engines
from nph_jax.index import live as live_lib
from nph_jax.index.segments import Clip, Moment

_FIRST_DEPTH = 1000  # of a radius search, then four times as deep each time


class Found(NamedTuple):
  """Results of one query: distances and ids [n], and scores or None."""

  distances: np.ndarray
  ids: np.ndarray
  scores: np.ndarray | None = None

  def first(self, count: int | None) -> Found:
    """The first `count` of them, or all."""
    return self.take(slice(count))

  def take(self, rows: np.ndarray | slice) -> Found:
    """Those of these rows."""
    return Found(*(None if x is None else x[rows] for x in self))

  def rows(self) -> Iterator[tuple[int, int, float | None]]:
    """Distance, id and score of each."""
    scores = [None] * len(self.ids)
    if self.scores is not None:
      scores = self.scores.tolist()
    return zip(self.distances.tolist(), self.ids.tolist(), scores)


def arrays(
  search: Callable[[np.ndarray, int], tuple[np.ndarray, np.ndarray]],
  count: int,
  codes: np.ndarray,
  k: int,
) -> tuple[np.ndarray, np.ndarray]:
  """Distances int32 [Q, k] and ids int64 [Q, k], -1 where fewer than k are.

  Args:
    search: of an engine that holds `count` videos.
    codes: uint8 [Q, P].
    k: at least 1.
  """
  depth = min(k, count)
  if depth == k and len(codes):
    return search(codes, k)
  distances = np.full((len(codes), k), -1, np.int32)
  ids = np.full((len(codes), k), -1, np.int64)
  if len(codes) and depth:
    distances[:, :depth], ids[:, :depth] = search(codes, depth)
  return distances, ids


def by_distance(
  now: live_lib.LiveIndex,
  codes: np.ndarray,
  k: int | None,
  radius: int | None,
  where: np.ndarray | None,
) -> list[Found]:
  """The results of each query by (distance, id).

  Args:
    now: what is searched.
    codes: uint8 [Q, P].
    k: results at most, None for all within the radius.
    radius: the greatest distance, None for any.
    where: sorted ids, the only ones that count; None for all.
  """
  search, count = now.engine.search, len(now.live)
  if where is not None:
    some = now.live.subset(where)
    search, count = lambda c, k: engines.exact(some, c, k), len(some)
  # `arrays` returns as much as it is asked for, be there as many or not.
  depth = min(k or _FIRST_DEPTH, count)
  distances, ids = arrays(search, count, codes, depth)
  while k is None and depth < count and _reaches(distances, ids, radius):
    depth *= 4
    distances, ids = arrays(search, count, codes, depth)
  limit = np.iinfo(np.int32).max if radius is None else radius
  inside = (ids >= 0) & (distances <= limit)
  return [Found(d, i).take(m) for d, i, m in zip(distances, ids, inside)]


def _reaches(distances: np.ndarray, ids: np.ndarray, radius: int) -> bool:
  """Whether there may be more within the radius than was asked for."""
  return bool(((distances[:, -1] <= radius) & (ids[:, -1] >= 0)).any())


def by_t(
  now: live_lib.LiveIndex,
  codes: np.ndarray,
  t: np.ndarray,
  k: int | None,
  radius: int | None,
  where: np.ndarray | None,
) -> list[Found]:
  """As `by_distance`, but by (t . b, id), over all codes whatever the engine.

  The scores are cosines of t, float32 [Q, K], and b.
  """
  some, scan = now.live, now.scan
  if where is not None:
    some = now.live.subset(where)
    scan = asymmetric.Scan(some)
  if radius is None:
    found = scan.search(t, k) if len(some) else [np.empty(0, int)] * len(t)
    return [_scored(some, *row) for row in zip(codes, t, found)]
  results = []
  for code, query in zip(codes, t):
    within = np.flatnonzero(_distances(some.codes, code) <= radius)
    result = _scored(some, code, query, within)
    order = np.argsort(-result.scores, kind='stable')
    results.append(result.take(order[:k]))
  return results


def whole(
  now: live_lib.LiveIndex, clip: Clip, k: int, ids: np.ndarray
) -> list[Moment]:
  """The k of these videos, sorted ids, whose code is nearest to the clip's."""
  if not len(ids):
    return []
  t = clip.whole[None]
  (found,) = by_t(now, np.packbits(t >= 0, axis=1), t, k, None, ids)
  return [Moment(score, x, None, None, bits) for bits, x, score in found.rows()]


def _scored(
  some: live_lib.Live, code: np.ndarray, t: np.ndarray, rows: np.ndarray
) -> Found:
  codes = some.codes[rows]
  return Found(
    _distances(codes, code), some.ids[rows], asymmetric.cosines(codes, t)
  )


def _distances(codes: np.ndarray, code: np.ndarray) -> np.ndarray:
  return np.bitwise_count(codes ^ code).sum(axis=1, dtype=np.int32)


def reranked(
  found: list[Found], queries: np.ndarray, ids: np.ndarray, values: np.ndarray
) -> list[Found]:
  """`found` ordered by the cosine of t, which is its score then.

  Args:
    found: of `by_distance` or `by_t`.
    queries: their t [Q, K].
    ids: `all_ids` of `found`.
    values: t [n, K] of `ids`.
  """
  results = []
  for (distances, near, _), query in zip(found, queries):
    scores = _cosines(query, values[np.searchsorted(ids, near)])
    order = np.argsort(-scores, kind='stable')
    results.append(Found(distances, near, scores).take(order))
  return results


def all_ids(found: list[Found]) -> np.ndarray:
  """The ids of all results, sorted, each once."""
  # An empty list would make them floats, which end to be exact at 2^53.
  none = np.empty(0, np.int64)
  return np.unique(np.concatenate([none, *(result.ids for result in found)]))


def _cosines(query: np.ndarray, found: np.ndarray) -> np.ndarray:
  """Cosines of t [K] to each t [n, K], 0 for zero vectors.

  In steps of 2^-24: equal vectors tie, however their products were added.
  """
  found, query = found.astype(np.float64), query.astype(np.float64)
  norms = np.linalg.norm(found, axis=1) * np.linalg.norm(query)
  cosines = found @ query / np.where(norms > 0, norms, 1)
  return np.rint(cosines * 2**24) / 2**24
