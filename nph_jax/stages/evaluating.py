"""Stage 3: codes of query and database, and how well they retrieve."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np

from nph_jax import atomic, distributed
from nph_jax.export import Hasher
from nph_jax.retrieval import evaluation, relevance, report
from nph_jax.stages import bundling, tables, training
from nph_jax.stages.job import Job


@dataclasses.dataclass(frozen=True)
class EncodedSplit:
  """Packed codes [N, P], labels [N, num_labels] and content digests [N]."""

  codes: np.ndarray
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
  codes = [folder.codes / f'{name}.npy' for name in ('query', 'database')]
  return all(p.is_file() for p in (folder.metrics, folder.report, *codes))


def _evaluate(job: Job, hasher: Hasher, step: int) -> None:
  query = encode_split(hasher, job.dataset.split('query'))
  same = job.dataset.split('query').same_source_as(
    job.dataset.split('database')
  )
  database = (
    query if same else encode_split(hasher, job.dataset.split('database'))
  )
  result = evaluation.evaluate_codes(
    query.codes,
    query.labels,
    database.codes,
    database.labels,
    ks=tuple(job.config.eval.ks),
    self_rows=self_rows(query, database, same),
  )
  _write_codes(job, query, database)
  _write_results(job, result, step)


def encode_split(hasher: Hasher, split: Any) -> EncodedSplit:
  """Runs the exported hasher over a split in file order."""
  from nph_jax.data import input_pipeline  # tensorflow takes seconds

  labels, digests = [], []

  def frames():
    for block in input_pipeline.evaluation_blocks(split, hasher.block_size):
      mask = block['mask']
      labels.append(block['labels'][mask])
      digests.append(block['digest'][mask])
      yield block['frames'][mask]

  codes = [codes for codes, _ in hasher.encode_blocks(frames())]
  return EncodedSplit(*map(np.concatenate, (codes, labels, digests)))


def self_rows(
  query: EncodedSplit, database: EncodedSplit, same: bool
) -> np.ndarray:
  """Each query's own row in the database, -1 where it is not in it [Q]."""
  if same:
    return np.arange(len(query.codes))
  return relevance.self_rows_by_content(
    query.digests.view(np.uint8).reshape(-1, 8),
    database.digests.view(np.uint8).reshape(-1, 8),
    query.labels,
    database.labels,
  )


def _write_codes(job: Job, query: EncodedSplit, database: EncodedSplit) -> None:
  for name, split in (('query', query), ('database', database)):
    with atomic.replacing(job.workdir.codes / f'{name}.npy') as temporary:
      np.save(temporary, split.codes)


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

{_neighborhood(job)}## mAP@K

AP@K is the sum of the precisions at the relevant ones of the first K, divided
by min(R, K) (`min_rk`, the paper's text) or by K (`k`, all published code).
Relevant: shares a label. Ties in Hamming distance: in database order
(`stable`), or the expectation over all their orders (`expected`). A query that
is itself in the database stays in the ranking unless self is excluded.
{result.queries_without_relevant} queries have nothing relevant and count as 0.

{report.metrics_table(result.map)}

## Precision and recall by Hamming radius

![precision-recall curve](pr_curve.png)

## Use the codes

`codes/*.npy` are uint8, one row per video in file order, numpy.packbits order.

    python -m nph_jax.encode --bundle={job.workdir.export} --features=FILE.h5 \\
      --out=codes.npy
"""


def _length(job: Job, step: int) -> str:
  if job.method.is_closed_form:
    return 'closed form, no training steps'
  return f'{step} steps of {job.batch_size} videos'


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
