"""What re-ranking the nearest by t gives, and what it costs.

  python -m experiments.reranking [--methods=itq] [--bits=32,64] [--seeds=0]

Every database is indexed with its t; every query is searched for the first 20,
by Hamming distance alone and with the nearest R ordered by the cosine of t.
mAP@20, denominator min(R, 20), videos in the order of the search; `R = all` is
the ranking by t alone. By default of the first seed.
"""

from __future__ import annotations

import dataclasses
import statistics
import tempfile
import time
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from experiments import cells, command_line, grid, settings
from nph_jax import errors
from nph_jax.index import VideoIndex

if TYPE_CHECKING:  # slow; wrong flags fail before
  from nph_jax.stages.evaluating import EncodedSplit


_K = settings.SUMMARY_K


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
    possible = min(int(relevant.sum()), _K)
    values.append(float((precisions * hits).sum()) / max(possible, 1))
  return statistics.fmean(values)


def measure(
  query: EncodedSplit, database: EncodedSplit
) -> dict[str, dict[str, float]]:
  """mAP@K and milliseconds a query at every depth; 'all' is the last."""
  with (
    tempfile.TemporaryDirectory() as folder,
    VideoIndex.create(f'{folder}/index', 8 * query.codes.shape[1]) as index,
  ):
    index.add(database.codes, None, database.relaxed)
    depths = {
      **{str(depth): depth for depth in settings.RERANKING_DEPTHS},
      'all': len(index),
    }
    return {
      name: _at_depth(index, query, database.labels, depth)
      for name, depth in depths.items()
    }


def _at_depth(
  index: VideoIndex, query: EncodedSplit, labels: np.ndarray, depth: int
) -> dict[str, float]:
  start = time.perf_counter()
  results = index.search(
    query.codes, _K, rank='hamming', rerank=depth, relaxed=query.relaxed
  )
  taken = time.perf_counter() - start
  found = [[hit.id for hit in hits] for hits in results]
  return {
    'map': round(average_precision(found, query.labels, labels), 4),
    'milliseconds': round(1000 * taken / len(results), 3),
  }


def main(argv: Sequence[str] | None = None) -> None:
  """Runs what is missing and writes the tables."""
  flags = command_line.parser('What re-ranking by t gives.')
  flags.set_defaults(seeds=settings.SEEDS[:1])
  chosen = command_line.options(flags, argv)
  pairs = grid.pairs(
    chosen, settings.RERANKING_METHODS, settings.RERANKING_BITS
  )

  def cells_of(dataset: command_line.Dataset, seed: int) -> list[cells.Cell]:
    own = dataclasses.replace(dataset, name=f'reranking/{dataset.name}')
    made = own.cells(pairs, seed)
    return [dataclasses.replace(cell, reranks=True) for cell in made]

  grid.run_all(chosen, cells_of)


if __name__ == '__main__':
  errors.run_main(main)
