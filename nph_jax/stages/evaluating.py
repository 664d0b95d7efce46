"""Stage 3: codes of query and database, and how well they retrieve."""

from __future__ import annotations

import dataclasses
import textwrap
from collections.abc import Iterator
from typing import Any

import numpy as np

from nph_jax import atomic, configuration, distributed, trees
from nph_jax.export import Hasher
from nph_jax.retrieval import evaluation, report
from nph_jax.stages import bundling, tables, training
from nph_jax.stages.job import Job


@dataclasses.dataclass(frozen=True)
class EncodedSplit:
  """Packed codes [N, P], t [N, K], labels multi-hot, content digests [N]."""

  codes: np.ndarray
  relaxed: np.ndarray
  labels: np.ndarray
  digests: np.ndarray


def run(job: Job) -> None:
  """Writes codes, metrics and report, unless they are of this checkpoint.

  Nothing where queries have no labels.
  """
  if not job.dataset.split('query').has_labels:
    return
  step = training.trained_steps(job)
  stamp = {'step': step}
  if _results_there(job) and job.workdir.stamp('evaluate') == stamp:
    return
  trained = bundling.trained_bundle(job)
  if distributed.is_primary():
    _evaluate(job, trained.load(), step)
    job.workdir.set_stamp('evaluate', stamp)


def _results_there(job: Job) -> bool:
  folder = job.workdir
  names = ('query', 'query_relaxed', 'database')
  codes = [folder.codes / f'{name}.npy' for name in names]
  return all(p.is_file() for p in (folder.metrics, folder.report, *codes))


def _evaluate(job: Job, hasher: Hasher, step: int) -> None:
  query, database, rows = encoded(job, hasher)
  result = evaluation.evaluate_codes(
    query.codes,
    query.labels,
    database.codes,
    database.labels,
    query_relaxed=query.relaxed,
    ks=tuple(job.config.eval.ks),
    self_rows=rows,
  )
  write_codes(job, query, database)
  _write_results(job, result, step)


def encoded(
  job: Job, hasher: Hasher
) -> tuple[EncodedSplit, EncodedSplit, np.ndarray]:
  """Query and database, hashed, and `self_rows` of them."""
  splits = job.dataset.split('query'), job.dataset.split('database')
  same = splits[0].same_source_as(splits[1])
  query = encode_split(hasher, splits[0])
  database = query if same else encode_split(hasher, splits[1])
  return query, database, self_rows(query, database)


def encode_split(hasher: Hasher, split: Any) -> EncodedSplit:
  """Runs the exported hasher over a split in file order."""
  from nph_jax.data import input_pipeline  # tensorflow takes seconds

  labels, digests = [], []

  def frames():
    for block in input_pipeline.evaluation_blocks(split, hasher.block_size):
      labels.append(block['labels'])
      digests.append(block['digest'])
      yield block['frames']

  codes, relaxed = zip(*hasher.encode_blocks(frames()))
  parts = codes, relaxed, labels, digests
  return EncodedSplit(*map(np.concatenate, parts))


def self_rows(query: EncodedSplit, database: EncodedSplit) -> np.ndarray:
  """Each query's own row in the database [Q], -1 where it is not in it.

  It is found by equal content: among several equal ones the first with the
  query's labels, else the first of all. YFCC's public files need this: the
  queries are inside the database, under other row numbers.
  """
  if query is database:
    return np.arange(len(query.codes))
  by_content: dict[int, int] = {}
  by_both: dict[tuple[int, bytes], int] = {}
  for row, (digest, labels) in enumerate(_contents(database)):
    by_content.setdefault(digest, row)
    by_both.setdefault((digest, labels), row)
  rows = [
    by_both.get((digest, labels), by_content.get(digest, -1))
    for digest, labels in _contents(query)
  ]
  return np.array(rows, np.int64)


def _contents(split: EncodedSplit) -> Iterator[tuple[int, bytes]]:
  """Of each video, the digest of its frames, and its labels as bytes."""
  return zip(split.digests.tolist(), map(bytes, split.labels != 0))


def write_codes(job: Job, query: EncodedSplit, database: EncodedSplit) -> None:
  """Writes codes/: codes of both, and the queries' t."""
  arrays = {
    'query': query.codes,
    'query_relaxed': query.relaxed,
    'database': database.codes,
  }
  for name, array in arrays.items():
    with atomic.replacing(job.workdir.codes / f'{name}.npy') as temporary:
      np.save(temporary, array)


def _write_results(job: Job, result: evaluation.Evaluation, step: int) -> None:
  config, folder = job.config, job.workdir
  metrics = {
    'dataset': config.data.name,
    'method': config.method,
    'num_bits': config.num_bits,
    'seed': config.seed,
    'splits': dict(job.shape.num_videos),
    'map': result.map,
    'queries_without_relevant': result.queries_without_relevant,
    'step': step,
  }
  atomic.write_json(folder.metrics, metrics)
  report.write_pr_curve(folder.root, result.pr_curve)
  atomic.write_text(folder.report, _report(job, result, step))


def _report(job: Job, result: evaluation.Evaluation, step: int) -> str:
  config, counts = job.config, job.shape.num_videos
  return f"""# {config.method}, {config.num_bits} bits, {config.data.name}

Seed {config.seed}; {_length(job, step)};
{counts['train']} training videos, {counts['query']} queries,
{counts['database']} videos in the database.

{_options(config)}{_neighborhood(job)}## mAP@K

AP@K is the sum of the precisions at the relevant ones of the first K, divided
by min(R, K) (`min_rk`, the paper's text) or by K (`k`, all published code).
Relevant: shares a label. Ranked by the Hamming distance of codes (`hamming`),
or by t . b: the database keeps its bits b, the query its real-valued t
(`asymmetric`). Ties: in database order (`stable`), or the expectation over all
their orders (`expected`). A query that is itself in the database stays in the
ranking unless self is excluded.
{result.queries_without_relevant} queries have nothing relevant and count as 0.

{report.metrics_table(result.map)}

## Precision and recall by Hamming radius

![precision-recall curve](pr_curve.png)

## Use the codes

`codes/query.npy` and `codes/database.npy` are uint8, one row per video in file
order, numpy.packbits order; `codes/query_relaxed.npy` is t of the queries.

    python -m nph_jax.encode --bundle={job.workdir.export} --features=FILE.h5 \\
      --out=codes.npy
"""


def _length(job: Job, step: int) -> str:
  if job.method.is_closed_form:
    return 'closed form, no training steps'
  return f'{step} steps of {job.batch_size} videos'


def _options(config: configuration.ConfigDict) -> str:
  """A paragraph of the method's own options, '' where it has none."""
  options = trees.flatten(config.method_options.to_dict(), '.')
  if not options:
    return ''
  listed = [f'{name}={value}' for name, value in sorted(options.items())]
  text = textwrap.fill(f'Options of {config.method}: {", ".join(listed)}.', 80)
  return f'{text}\n\n'


def _neighborhood(job: Job) -> str:
  """A paragraph, '' for a method without a neighbourhood."""
  if not job.method.needs_neighborhood:
    return ''
  graph = tables.neighborhood_stamp(job)
  y = ''
  if job.refined:
    y = f'; y is t of {job.config.neighborhood.run}, {job.refined.digest}'
  return f"""\
Neighbourhood: {graph['num_anchors']} anchors (n), the nearest
{graph['num_nearest']} of each video (a); S has density
{graph['pair_density']:.4f} and mean degree {graph['mean_degree']:.1f}{y}.

"""
