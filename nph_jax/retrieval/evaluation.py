"""mAP@K under every protocol and the precision-recall curve, exactly."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from nph_jax.retrieval import hamming, metrics, scoring

KS = (5, 10, 20, 40, 60, 80, 100)

_STEPS = 2**24  # of cosine similarity between 0 and 1


@dataclasses.dataclass(frozen=True)
class Evaluation:
  """What one set of queries scored against one database.

  Attributes:
    map: rows {k, denominator, ties, exclude_self, value}, all combinations.
    pr_curve: rows {radius, precision, recall, exclude_self}, macro-averaged
      (`metrics.precision_recall`); empty for real vectors.
    num_queries: Q; every one counts in mAP, without relevant videos as 0.
    num_database: N.
    queries_without_relevant: queries that share a label with no database
      video, their own copy not counted where it is known.
  """

  map: list[dict[str, Any]]
  pr_curve: list[dict[str, Any]]
  num_queries: int
  num_database: int
  queries_without_relevant: int


def evaluate_codes(
  query_codes: np.ndarray,
  query_labels: np.ndarray,
  database_codes: np.ndarray,
  database_labels: np.ndarray,
  *,
  ks: Sequence[int] = KS,
  self_rows: np.ndarray | None = None,
) -> Evaluation:
  """Scores the Hamming ranking of packed codes, exactly.

  Args:
    query_codes: (Q, P) uint8, see `hamming.pack_codes`.
    query_labels: (Q, number of labels) multi-hot.
    database_codes: (N, P) uint8.
    database_labels: (N, number of labels) multi-hot.
    ks: values of K; those above N are left out.
    self_rows: (Q,) the database row of each query itself, -1 for none. Given
      any, every protocol is also scored with that row taken out.

  Raises:
    ValueError: no queries, no database, or shapes that do not fit.
  """
  num_bits = 8 * query_codes.shape[1]
  dtype = hamming.distance_dtype(num_bits)
  ranker = scoring.Ranker(
    lambda rows: hamming.hamming_distances(query_codes[rows], database_codes),
    beyond=num_bits + 1,
    radii=np.arange(num_bits + 1, dtype=dtype),
  )
  _check(query_codes, query_labels, database_codes, database_labels)
  return _evaluate(ranker, query_labels, database_labels, ks, self_rows)


def evaluate_vectors(
  query_vectors: np.ndarray,
  query_labels: np.ndarray,
  database_vectors: np.ndarray,
  database_labels: np.ndarray,
  *,
  ks: Sequence[int] = KS,
  self_rows: np.ndarray | None = None,
) -> Evaluation:
  """Scores the ranking of real vectors by cosine similarity.

  Similarities are computed in float64 and compared in steps of 2^-24, so that
  equal vectors tie whatever order their products were added in. A zero vector
  has similarity 0 with all.

  Args:
    query_vectors: (Q, D), finite.
    query_labels: (Q, number of labels) multi-hot.
    database_vectors: (N, D), finite.
    database_labels: (N, number of labels) multi-hot.
    ks: as for `evaluate_codes`.
    self_rows: as for `evaluate_codes`.

  Raises:
    ValueError: no queries, no database, values that are not finite, or shapes
      that do not fit.
  """
  _check(query_vectors, query_labels, database_vectors, database_labels)
  database = _unit(database_vectors).T

  def distances(rows: slice) -> np.ndarray:
    similarities = _unit(query_vectors[rows]) @ database
    # Whole numbers up to 2^24, which float32 holds exactly.
    return -np.rint(similarities * _STEPS).astype(np.float32)

  ranker = scoring.Ranker(distances, beyond=np.inf, radii=np.empty(0))
  return _evaluate(ranker, query_labels, database_labels, ks, self_rows)


def _evaluate(
  ranker: scoring.Ranker,
  query_labels: np.ndarray,
  database_labels: np.ndarray,
  ks: Sequence[int],
  self_rows: np.ndarray | None,
) -> Evaluation:
  ks = [k for k in ks if k <= len(database_labels)]
  by_mode = scoring.score(ranker, query_labels, database_labels, ks, self_rows)
  # Without self, where that was scored: the last one.
  *_, num_relevant = [scores.num_relevant for scores in by_mode.values()]
  return Evaluation(
    map=[row for mode in by_mode for row in _map_rows(by_mode[mode], ks, mode)],
    pr_curve=[row for mode in by_mode for row in _pr_rows(by_mode[mode], mode)],
    num_queries=len(query_labels),
    num_database=len(database_labels),
    queries_without_relevant=int(np.sum(num_relevant == 0)),
  )


def _map_rows(
  scores: scoring.Scores, ks: Sequence[int], exclude_self: bool
) -> Iterator[dict[str, Any]]:
  means = scores.average_precisions.mean(axis=0)
  for protocol, values in zip(metrics.protocols(exclude_self), means):
    for k, value in zip(ks, values):
      yield {'k': k, **dataclasses.asdict(protocol), 'value': float(value)}


def _pr_rows(
  scores: scoring.Scores, exclude_self: bool
) -> Iterator[dict[str, Any]]:
  precision, recall = metrics.precision_recall(
    scores.retrieved, scores.hits, scores.num_relevant
  )
  for radius, values in enumerate(zip(precision, recall)):
    yield {
      'radius': radius,
      'precision': float(values[0]),
      'recall': float(values[1]),
      'exclude_self': exclude_self,
    }


def _unit(vectors: np.ndarray) -> np.ndarray:
  """The rows scaled to length 1, float64; a zero row stays zero."""
  vectors = np.asarray(vectors, np.float64)
  norms = np.linalg.norm(vectors, axis=1, keepdims=True)
  return vectors / np.where(norms > 0, norms, 1)


def _check(
  queries: np.ndarray,
  query_labels: np.ndarray,
  database: np.ndarray,
  database_labels: np.ndarray,
) -> None:
  if not (len(queries) and len(database)):
    raise ValueError('nothing to score: no queries or no database')
  fits = (
    queries.shape[1] == database.shape[1]
    and query_labels.shape[1] == database_labels.shape[1]
    and len(queries) == len(query_labels)
    and len(database) == len(database_labels)
  )
  if not fits:
    raise ValueError(
      f'shapes do not fit: queries {queries.shape}, {query_labels.shape}; '
      f'database {database.shape}, {database_labels.shape}'
    )
  if not (np.all(np.isfinite(queries)) and np.all(np.isfinite(database))):
    raise ValueError('a query or database vector holds NaN or infinity')
