"""Scores queries against a database in blocks, on all cores: one ranking.

Memory is O(Q + N) and one block of queries against the database a thread:
never Q x N.
"""

from __future__ import annotations

import concurrent.futures
import dataclasses
import os
from collections.abc import Callable, Sequence

import numpy as np
import scipy.sparse

from nph_jax.retrieval import metrics

# Pairs of a block: small enough that the arrays of all threads, some tens of
# bytes a pair where every distance ties, stay far below 1 GiB.
_BLOCK_PAIRS = 1 << 21
_MAX_BLOCK = 4096  # rank() counts a block's queries in 16 bits
_MAX_THREADS = 8


@dataclasses.dataclass(frozen=True)
class Ranker:
  """How near the database is to some queries, lower being nearer.

  Attributes:
    ranking: what it is called in a protocol.
    distances: slice of queries -> a fresh (B, N) array.
    beyond: larger than any distance.
    radii: (radii,) those of the precision-recall curve, in the type of the
      distances; empty for none.
  """

  ranking: metrics.RankedBy
  distances: Callable[[slice], np.ndarray]
  beyond: float
  radii: np.ndarray


@dataclasses.dataclass(frozen=True)
class Scores:
  """Per-query results with or without self: the sums are left to the end."""

  average_precisions: np.ndarray  # (B, protocols, len(ks))
  retrieved: np.ndarray  # (B, radii)
  hits: np.ndarray  # (B, radii)
  num_relevant: np.ndarray  # (B,)


def score(
  ranker: Ranker,
  query_labels: np.ndarray,
  database_labels: np.ndarray,
  ks: Sequence[int],
  self_rows: np.ndarray | None,
) -> dict[bool, Scores]:
  """Scores all queries, with self kept and, where it is known, excluded.

  Relevance is the paper's (section 4.1): at least one shared label. A video
  without labels shares none.

  Args:
    ranker: of the queries against the database.
    query_labels: (Q, number of labels) multi-hot.
    database_labels: (N, number of labels) multi-hot.
    ks: values of K, at most N.
    self_rows: (Q,) the database row of each query itself, -1 for none.

  Returns:
    Scores by `exclude_self`, False first.
  """
  with_label = scipy.sparse.csr_array(np.asarray(database_labels).T != 0)
  excluding = self_rows is not None and bool(np.any(self_rows >= 0))
  modes = (False, True) if excluding else (False,)

  def score_block(rows: slice) -> list[Scores]:
    distances = ranker.distances(rows)
    wanted = scipy.sparse.csr_array(query_labels[rows] != 0)
    relevant = (wanted @ with_label).toarray()  # of bools: any shared label
    scores = []
    for exclude_self in modes:
      if exclude_self:
        _exclude(self_rows[rows], distances, relevant, ranker.beyond)
      scores.append(_score_block(ranker, distances, relevant, ks, exclude_self))
    return scores

  with concurrent.futures.ThreadPoolExecutor(_num_threads()) as threads:
    blocks = _blocks(len(query_labels), len(database_labels))
    parts = list(zip(*threads.map(score_block, blocks)))
  return {mode: _concatenate(part) for mode, part in zip(modes, parts)}


def _score_block(
  ranker: Ranker,
  distances: np.ndarray,
  relevant: np.ndarray,
  ks: Sequence[int],
  exclude_self: bool,
) -> Scores:
  """Scores one block; `distances` and `relevant` are (B, N)."""
  depth, radii = max(ks, default=1), ranker.radii
  if len(radii):
    # A radix sort: it gives the cutoffs and the counts within every radius.
    ordered = np.sort(distances, axis=1, kind='stable')
    retrieved = np.stack([np.searchsorted(d, radii, 'right') for d in ordered])
    cutoffs = ordered[:, depth - 1]
  else:
    retrieved = np.zeros((len(distances), 0))
    cutoffs = np.partition(distances, depth - 1, axis=1)[:, depth - 1]
  ranked = metrics.rank(distances, relevant, cutoffs, depth)
  values = [
    metrics.average_precision(ranked, ks, protocol)
    for protocol in metrics.protocols(ranker.ranking, exclude_self)
  ]
  return Scores(
    np.stack(values, axis=1),
    retrieved.astype(np.int32),
    _hits(distances, relevant, len(radii)),
    ranked.num_relevant,
  )


def _hits(
  distances: np.ndarray, relevant: np.ndarray, num_radii: int
) -> np.ndarray:
  """Relevant videos within the radii 0, 1, ..., (B, radii) int32."""
  if not num_radii:
    return np.zeros((len(distances), 0), np.int32)
  pairs = np.flatnonzero(relevant)
  bins = pairs // relevant.shape[1] * num_radii + distances.ravel()[pairs]
  counts = np.bincount(bins, minlength=len(distances) * num_radii)
  return np.cumsum(counts.reshape(-1, num_radii), axis=1, dtype=np.int32)


def _exclude(
  self_rows: np.ndarray,
  distances: np.ndarray,
  relevant: np.ndarray,
  beyond: float,
) -> None:
  """Moves each query's own row behind all others, in place."""
  queries = np.flatnonzero(self_rows >= 0)
  distances[queries, self_rows[queries]] = beyond
  relevant[queries, self_rows[queries]] = False


def _concatenate(parts: Sequence[Scores]) -> Scores:
  names = [field.name for field in dataclasses.fields(Scores)]
  return Scores(
    *(np.concatenate([getattr(part, name) for part in parts]) for name in names)
  )


def _blocks(num_queries: int, num_database: int) -> list[slice]:
  size = min(max(_BLOCK_PAIRS // num_database, 1), _MAX_BLOCK)
  return [slice(i, i + size) for i in range(0, num_queries, size)]


def _num_threads() -> int:
  return min(os.cpu_count() or 1, _MAX_THREADS)
