"""The entry: codes or vectors in, mAP@K of every protocol and the curve out."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import numpy as np

from nph_jax.retrieval import hamming, metrics, scoring

KS = (5, 10, 20, 40, 60, 80, 100)

_STEPS = 2**24  # of a product between 0 and 1


@dataclasses.dataclass(frozen=True)
class Evaluation:
  """What one set of queries scored against one database.

  Attributes:
    map: rows {k, value} and the fields of metrics.Protocol, all combinations.
    pr_curve: rows {radius, precision, recall, exclude_self} of the Hamming
      distance, macro-averaged (`metrics.precision_recall`); empty for real
      vectors.
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

  def value(
    self,
    k: int,
    *,
    ranking: metrics.RankedBy = 'hamming',
    denominator: metrics.Denominator = 'min_rk',
    ties: metrics.Ties = 'expected',
    exclude_self: bool = False,
  ) -> float:
    """mAP@k under one protocol; see metrics.Protocol.

    Raises:
      KeyError: it was not scored.
    """
    protocol = metrics.Protocol(ranking, denominator, ties, exclude_self)
    wanted = {'k': k, **dataclasses.asdict(protocol)}
    for row in self.map:
      if wanted.items() <= row.items():
        return row['value']
    raise KeyError(f'not scored: {wanted}')


def evaluate_codes(
  query_codes: np.ndarray,
  query_labels: np.ndarray,
  database_codes: np.ndarray,
  database_labels: np.ndarray,
  *,
  query_relaxed: np.ndarray | None = None,
  ks: Sequence[int] = KS,
  self_rows: np.ndarray | None = None,
) -> Evaluation:
  """Scores the rankings of packed codes, exactly.

  Given the queries' t, the asymmetric ranking is scored beside the Hamming one:
  the higher t . b, b in {-1, +1}^K, the nearer. Values of t . b are compared as
  `evaluate_vectors` compares similarities, in steps of 2^-24 sum |t|.

  Args:
    query_codes: (Q, P) uint8, numpy.packbits of the bits, 1 for +1.
    query_labels: (Q, number of labels) multi-hot.
    database_codes: (N, P) uint8.
    database_labels: (N, number of labels) multi-hot.
    query_relaxed: t of the queries, (Q, 8 P) real, finite; None for the
      Hamming ranking alone. The database's codes are unpacked for it: 64 P
      bytes each.
    ks: values of K; those above N are left out.
    self_rows: (Q,) the database row of each query itself, -1 for none. Given
      any, every protocol is also scored with that row taken out.

  Raises:
    ValueError: no queries, no database, t that is not finite, or shapes that
      do not fit.
  """
  _check(query_codes, query_labels, database_codes, database_labels)
  num_bits = 8 * query_codes.shape[1]
  radii = np.arange(num_bits + 1, dtype=hamming.distance_dtype(num_bits))
  rankers = [
    scoring.Ranker(
      'hamming',
      lambda rows: hamming.hamming_distances(query_codes[rows], database_codes),
      beyond=num_bits + 1,
      radii=radii,
    )
  ]
  if query_relaxed is not None:
    if query_relaxed.shape != (len(query_codes), num_bits):
      raise ValueError(
        f't of shape {query_relaxed.shape} for codes {query_codes.shape}'
      )
    codes = hamming.unpack_codes(database_codes).astype(np.float64)
    rankers.append(_product_ranker('asymmetric', query_relaxed, 1, codes))
  return _evaluate(rankers, query_labels, database_labels, ks, self_rows)


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

  Arguments and errors are those of `evaluate_codes`, with real vectors (Q, D)
  and (N, D) in the place of codes.
  """
  _check(query_vectors, query_labels, database_vectors, database_labels)
  database = _scaled(database_vectors, 2)
  ranker = _product_ranker('cosine', query_vectors, 2, database)
  return _evaluate([ranker], query_labels, database_labels, ks, self_rows)


def _product_ranker(
  ranking: metrics.RankedBy,
  queries: np.ndarray,
  norm: int,
  database: np.ndarray,
) -> scoring.Ranker:
  """Ranks by the products of (N, D) float64 with queries of unit norm."""

  def distances(rows: slice) -> np.ndarray:
    steps = (-_STEPS * _scaled(queries[rows], norm)) @ database.T
    # Whole numbers up to 2^24, which float32 holds exactly.
    return np.rint(steps, out=steps).astype(np.float32)

  return scoring.Ranker(ranking, distances, beyond=np.inf, radii=np.empty(0))


def _scaled(vectors: np.ndarray, norm: int) -> np.ndarray:
  """The rows scaled to an L1 or L2 norm of 1, float64; a zero row stays.

  Raises:
    ValueError: a row holds NaN or infinity.
  """
  vectors = np.asarray(vectors, np.float64)
  norms = np.linalg.norm(vectors, norm, axis=1, keepdims=True)
  if not np.all(np.isfinite(norms)):
    raise ValueError('a query or database vector holds NaN or infinity')
  return vectors / np.where(norms > 0, norms, 1)


def _evaluate(
  rankers: Sequence[scoring.Ranker],
  query_labels: np.ndarray,
  database_labels: np.ndarray,
  ks: Sequence[int],
  self_rows: np.ndarray | None,
) -> Evaluation:
  ks = [k for k in ks if k <= len(database_labels)]
  map_rows, pr_rows = [], []
  for ranker in rankers:
    by_mode = scoring.score(
      ranker, query_labels, database_labels, ks, self_rows
    )
    for exclude_self, scores in by_mode.items():
      protocols = metrics.protocols(ranker.ranking, exclude_self)
      map_rows += _map_rows(scores, ks, protocols)
      pr_rows += _pr_rows(scores, exclude_self)
  return Evaluation(
    map=map_rows,
    pr_curve=pr_rows,
    num_queries=len(query_labels),
    num_database=len(database_labels),
    # Of the last one: without self, where that was scored.
    queries_without_relevant=int(np.sum(scores.num_relevant == 0)),
  )


def _map_rows(
  scores: scoring.Scores,
  ks: Sequence[int],
  protocols: Iterable[metrics.Protocol],
) -> Iterator[dict[str, Any]]:
  means = scores.average_precisions.mean(axis=0)
  for protocol, values in zip(protocols, means):
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
