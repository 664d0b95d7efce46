"""Rankings, average precision under an explicit protocol, precision-recall."""

from __future__ import annotations

import dataclasses
import itertools
from collections.abc import Iterator, Sequence
from typing import Literal

import numpy as np

RankedBy = Literal['hamming', 'asymmetric', 'cosine']
Denominator = Literal['min_rk', 'k']
Ties = Literal['stable', 'expected']


@dataclasses.dataclass(frozen=True)
class Protocol:
  """What a value of mAP@K must say of itself to be comparable.

  Attributes:
    ranking: 'hamming', by the distance of two codes; 'asymmetric', by t . b of
      the query's real-valued t and the database's code b; 'cosine', by that of
      two real vectors.
    denominator: 'min_rk' divides by min(R, K), as the paper's section 4.1
      (R relevant videos in the database; AP is 0 where R is 0); 'k' divides by
      K, as all published code of the field does.
    ties: 'stable' ranks equally near videos by database row; 'expected' is
      the exact mean over all orders of them.
    exclude_self: the query's own copy is taken out of the database first.
  """

  ranking: RankedBy
  denominator: Denominator
  ties: Ties
  exclude_self: bool


def protocols(ranking: RankedBy, exclude_self: bool) -> Iterator[Protocol]:
  """The protocols of one ranking and self, the paper's denominator first."""
  for ties, denominator in itertools.product(
    ('stable', 'expected'), ('min_rk', 'k')
  ):
    yield Protocol(ranking, denominator, ties, exclude_self)


@dataclasses.dataclass(frozen=True)
class Ranking:
  """The first `depth` places of the rankings of B queries.

  Ties stand in database order. The last four describe the tie group of a
  place, whole even where it reaches beyond `depth`.

  Attributes:
    relevant: (B, depth) bool, the video at this place is relevant.
    group_start: (B, depth) videos ranked before the group.
    group_size: (B, depth) videos in the group.
    group_relevant: (B, depth) relevant videos in the group.
    relevant_before: (B, depth) relevant videos ranked before the group.
    num_relevant: (B,) relevant videos in the database, R.
  """

  relevant: np.ndarray
  group_start: np.ndarray
  group_size: np.ndarray
  group_relevant: np.ndarray
  relevant_before: np.ndarray
  num_relevant: np.ndarray


def rank(
  distances: np.ndarray,
  relevant: np.ndarray,
  cutoffs: np.ndarray,
  depth: int,
) -> Ranking:
  """Ranks the database for each query by (distance, database row), exactly.

  Args:
    distances: (B, N), B below 65,536; equal ones form a tie group.
    relevant: (B, N) bool.
    cutoffs: (B,) the distance of the `depth`-th nearest video.
    depth: places wanted, 1 to N.
  """
  # All within the cutoff, so that the last tie group is whole.
  chosen = np.flatnonzero(distances <= cutoffs[:, None])
  # uint16, because numpy's stable sort of it is a radix sort.
  queries = (chosen // distances.shape[1]).astype(np.uint16)
  near = distances.ravel()[chosen]
  order = np.lexsort((near, queries))
  queries, near = queries[order], near[order]
  hits = relevant.ravel()[chosen[order]]
  hits_before = np.concatenate([[0], np.cumsum(hits)])

  opens = (queries[1:] != queries[:-1]) | (near[1:] != near[:-1])
  bounds = np.concatenate([[0], np.flatnonzero(opens) + 1, [len(near)]])
  group = np.concatenate([[0], np.cumsum(opens)])

  first = np.searchsorted(
    queries, np.arange(len(distances), dtype=np.uint16)
  ).reshape(-1, 1)
  places = first + np.arange(depth)
  start, end = bounds[group[places]], bounds[group[places] + 1]
  return Ranking(
    relevant=hits[places],
    group_start=start - first,
    group_size=end - start,
    group_relevant=hits_before[end] - hits_before[start],
    relevant_before=hits_before[start] - hits_before[first],
    num_relevant=np.count_nonzero(relevant, axis=1),
  )


def average_precision(
  ranking: Ranking, ks: Sequence[int], protocol: Protocol
) -> np.ndarray:
  """AP@K of every query: sum over i <= K of P(i) I(i), over the denominator.

  Args:
    ranking: of B queries, at least max(ks) deep, self already taken out where
      the protocol says so.
    ks: the values of K.
    protocol: its denominator and ties.

  Returns:
    (B, len(ks)) float64, 0 for a query without relevant videos.
  """
  depths = np.asarray(ks, int)
  expected = protocol.ties == 'expected'
  gains = (_expected_gains if expected else _stable_gains)(ranking)
  sums = np.cumsum(gains, axis=1)[:, depths - 1]
  if protocol.denominator == 'k':
    return sums / depths
  return sums / np.maximum(np.minimum(ranking.num_relevant[:, None], depths), 1)


def _stable_gains(ranking: Ranking) -> np.ndarray:
  """P(i) I(i) of every place i, (B, depth)."""
  hits = np.cumsum(ranking.relevant, axis=1)
  return ranking.relevant * hits / _places(ranking)


def _expected_gains(ranking: Ranking) -> np.ndarray:
  """E[P(i) I(i)] over all orders within tie groups, (B, depth).

  McSherry and Najork, "Computing information retrieval performance measures
  efficiently in the presence of tied scores", ECIR 2008. Place i = s + p is
  the p-th of a group of n videos, r of them relevant, after s others with R_s
  relevant. It holds a relevant one with probability r / n, and then each of
  the p - 1 places before it in the group does with (r - 1) / (n - 1):
  E[I(i) hits(i)] = r / n (R_s + 1 + (p - 1) (r - 1) / (n - 1)).
  """
  places = _places(ranking)
  n, r = ranking.group_size, ranking.group_relevant
  # n = 1 has p = 1, whose last term is 0 whatever it is divided by.
  earlier = (places - ranking.group_start - 1) * (r - 1) / np.maximum(n - 1, 1)
  return r / n * (ranking.relevant_before + 1 + earlier) / places


def _places(ranking: Ranking) -> np.ndarray:
  return np.arange(1, ranking.relevant.shape[1] + 1)


def precision_recall(
  retrieved: np.ndarray, hits: np.ndarray, num_relevant: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
  """Precision and recall of Hamming-radius look-up, averaged over queries.

  A query that retrieves nothing within a radius has precision 0 there (a
  failed look-up, the usual reading in hashing). Queries without relevant
  videos count for precision and are left out of recall, which is 0 if all
  queries are such.

  Args:
    retrieved: (Q, radii) videos within each radius.
    hits: (Q, radii) relevant ones among them.
    num_relevant: (Q,) relevant videos in the database.

  Returns:
    Precision (radii,) and recall (radii,), float64.
  """
  precision = (hits / np.maximum(retrieved, 1)).mean(axis=0)
  answerable = num_relevant > 0
  if not answerable.any():
    return precision, np.zeros_like(precision)
  recalls = hits[answerable] / num_relevant[answerable, None]
  return precision, recalls.mean(axis=0)
