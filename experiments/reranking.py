"""What re-ranking the nearest by the real-valued t gives, and what it costs.

  python -m experiments.reranking [--methods=itq] [--bits=16,32,64] [--seeds=0]

Every database is indexed with its t; every query is searched for the first 20,
by Hamming distance alone and with the nearest R ordered by the cosine of t.
mAP@20, denominator min(R, 20), videos in the order of the search. Writes
results/DATASET-reranking.md; `R = all` is the ranking by t alone.
"""

from __future__ import annotations

import dataclasses
import shutil
import statistics
import tempfile
import time
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from experiments import cells, command_line, grid, measures, paper
from nph_jax import atomic, errors
from nph_jax.retrieval.video_index import VideoIndex

METHODS, BITS, SEED = ('itq', 'nph'), (16, 32, 64), 0
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
  results = index.search(query.codes, K, rerank=depth, relaxed=query.relaxed)
  taken = time.perf_counter() - start
  found = [[hit.id for hit in hits] for hits in results]
  return {
    'map': round(average_precision(found, query.labels, labels), 4),
    'milliseconds': round(1000 * taken / len(results), 3),
  }


def measure_cell(
  cell: cells.Cell, folders: cells.Folders
) -> dict[str, dict[str, float]]:
  """Trains a cell in its scratch folder, which is removed, and measures it."""
  # Slow; wrong flags fail before.
  from experiments import running
  from nph_jax.stages import bundling, prepare, training
  from nph_jax.stages.job import open_job

  job = open_job(cell.config(folders), str(cell.workdir(folders)))
  with cells.locked(folders.scratch / f'prepare-{job.config.seed}.lock'):
    prepare.run(job)
  training.run(job)
  hasher = bundling.trained_bundle(job).load()
  query, database = (
    running.encode(hasher, job.dataset.split(name))
    for name in ('query', 'database')
  )
  shutil.rmtree(job.workdir.root)
  return measure(query, database)


def page(
  name: str, results: Mapping[tuple[str, int], Mapping[str, Any]], seed: int
) -> str:
  """The results of a data set as Markdown."""
  depths = list(next(iter(results.values())))
  header = [
    'method',
    'bits',
    *(f'R = {d}' if d != '0' else '-' for d in depths),
  ]
  lines = [header, ['---'] * len(header)]
  for (method, bits), values in results.items():
    row = [f'{values[depth]["map"]:.4f}' for depth in depths]
    lines.append([paper.NAMES.get(method, method), str(bits), *row])
  table = '\n'.join(f'| {" | ".join(line)} |' for line in lines)
  cost = {
    depth: statistics.median(v[depth]['milliseconds'] for v in results.values())
    for depth in depths
  }
  return f"""# Re-ranking by t, {name}

mAP@{K} (`min_rk`) of the {K} nearest: by Hamming distance (-), ties by row, and
with the nearest R ordered by the cosine of t; seed {seed}. Written by
`python -m experiments.reranking`.

{table}

Milliseconds a query, metadata included, median: \
{', '.join(f'{d} {cost[d]:.2f}' for d in depths)}.
"""


def main(argv: Sequence[str] | None = None) -> None:
  """Trains, measures and writes a page for each data set."""
  flags = command_line.parser(__doc__.partition('\n')[0])
  chosen = command_line.options(flags, argv)
  seed = SEED if flags.get_default('seeds') == chosen.seeds else chosen.seeds[0]
  pairs = [
    (method, bits)
    for method in grid.available(chosen.methods or METHODS)
    for bits in chosen.bits or BITS
  ]
  for dataset in chosen.datasets:
    own = dataclasses.replace(dataset, name=f'reranking/{dataset.name}')
    results = {
      (cell.method, cell.bits): measure_cell(cell, chosen.folders)
      for cell in own.cells(pairs, seed)
    }
    path = chosen.folders.results / f'{dataset.name}-reranking.md'
    atomic.write_text(path, page(dataset.name, results, seed))
    print(path)


if __name__ == '__main__':
  errors.run_main(main)
