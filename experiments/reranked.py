"""What re-ranking the nearest by the real-valued t gives, and what it costs."""

from __future__ import annotations

import statistics
import tempfile
import time
from collections.abc import Sequence

import numpy as np

from experiments import measures
from nph_jax.index import VideoIndex

DEPTHS = (0, 20, 50, 100, 200)  # R; 0 is Hamming distance alone
K = 20


def average_precision(
  found: Sequence[Sequence[int]], query_labels: np.ndarray, labels: np.ndarray
) -> float:
  """mAP@K of the rows found for each query, in order, denominator min(R, K).

  Args:
    found: K rows of the database for each query, or fewer.
    query_labels: multi-hot [Q, number of labels].
    labels: of the database [N, number of labels].
  """
  values = []
  for rows, label in zip(found, query_labels):
    relevant = (labels & label).any(axis=1)
    hits = relevant[list(rows)]
    precisions = np.cumsum(hits) / np.arange(1, len(hits) + 1)
    possible = min(int(relevant.sum()), K)
    values.append(float((precisions * hits).sum()) / max(possible, 1))
  return statistics.fmean(values)


def measure(
  query: measures.Encoded, database: measures.Encoded
) -> dict[str, dict[str, float]]:
  """mAP@K and milliseconds a query at every depth; 'all' is the last."""
  with (
    tempfile.TemporaryDirectory() as folder,
    VideoIndex.create(f'{folder}/index', 8 * query.codes.shape[1]) as index,
  ):
    index.add(database.codes, None, database.relaxed)
    depths = {**{str(depth): depth for depth in DEPTHS}, 'all': len(index)}
    return {
      name: _at_depth(index, query, database.labels, depth)
      for name, depth in depths.items()
    }


def _at_depth(
  index: VideoIndex, query: measures.Encoded, labels: np.ndarray, depth: int
) -> dict[str, float]:
  start = time.perf_counter()
  results = index.search(
    query.codes, K, rank='hamming', rerank=depth, relaxed=query.relaxed
  )
  taken = time.perf_counter() - start
  found = [[hit.id for hit in hits] for hits in results]
  return {
    'map': round(average_precision(found, query.labels, labels), 4),
    'milliseconds': round(1000 * taken / len(results), 3),
  }
