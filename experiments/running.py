"""Running one cell through the stages of the main job, and measuring it."""

from __future__ import annotations

import contextlib
import pathlib
import shutil
import subprocess
import time
from typing import Any

import numpy as np

from experiments import cells, measures, settings
from nph_jax.data import pooled
from nph_jax.retrieval import evaluation
from nph_jax.stages import (
  bundling,
  evaluating,
  prepare,
  training,
)
from nph_jax.stages.job import Job, open_job

_BLOCK_SIZE = 256


def run(cell: cells.Cell, folders: cells.Folders) -> dict[str, Any]:
  """Trains and measures a cell, from where its scratch folder stands.

  Only the codes stay in that folder.

  Returns:
    The record that was written to the cell's file of results.
  """
  job = open_job(cell.config(folders), str(cell.workdir(folders)))
  if cell.method in settings.REFERENCES:
    measured = _reference(cell, job)
  else:
    measured = _method(cell, job, folders)
  record = {**_about(cell, folders, job), **measured}
  cells.write(cell.path(folders), record)
  for path in job.workdir.root.iterdir():
    if path.is_file():
      path.unlink()
    elif path != job.workdir.codes:
      shutil.rmtree(path)
  return record


def _about(
  cell: cells.Cell, folders: cells.Folders, job: Job
) -> dict[str, Any]:
  values = {k: v for k, v in cell.values.items() if cells.matters(k)}
  return {
    'dataset': cell.dataset,
    'method': cell.method,
    'bits': cell.bits,
    'seed': cell.seed,
    'digest': cell.digest(folders),
    'commit': _commit(),
    'config': cell.config_file,
    'values': values,
    'videos': dict(job.shape.num_videos),
  }


def _commit() -> str:
  """The checkout's commit, marked if code differs from it; '' outside git."""
  code = ('*.py', 'constraints.txt')
  try:
    head = _git('rev-parse', '--short=12', 'HEAD')
    return head + ('+changes' if _git('status', '--short', '--', *code) else '')
  except (OSError, subprocess.CalledProcessError):
    return ''


def _git(*args: str) -> str:
  done = subprocess.run(
    ['git', *args], cwd=cells.ROOT, capture_output=True, text=True, check=True
  )
  return done.stdout.strip()


def _method(
  cell: cells.Cell, job: Job, folders: cells.Folders
) -> dict[str, Any]:
  lock = contextlib.nullcontext()
  if job.method.needs_neighborhood:
    # Cells of a seed share autoencoder and anchors: one process makes them.
    lock = cells.locked(folders.scratch / f'prepare-{job.config.seed}.lock')
  with lock:
    start = time.perf_counter()  # what others take is not this cell's
    prepare.run(job)
  prepared, used = time.perf_counter(), time.process_time()
  training.run(job)
  trained, used = time.perf_counter(), time.process_time() - used
  hasher = bundling.trained_bundle(job).load()
  query, database, self_rows = evaluating.encoded(job, hasher)
  evaluating.write_codes(job, query, database)
  measured = {
    'prepare_seconds': round(prepared - start, 1),
    'train_seconds': round(trained - prepared, 1),
    'train_cpu_seconds': round(used, 1),
    'steps': training.trained_steps(job),
    **measures.of_codes(query, database, self_rows, tuple(job.config.eval.ks)),
  }
  return {'seconds': round(time.perf_counter() - start, 1), **measured}


def labels_of(split: Any) -> np.ndarray:
  """The labels of a split in file order, multi-hot [N, number of labels]."""
  from nph_jax.data import input_pipeline  # tensorflow takes seconds

  blocks = input_pipeline.evaluation_blocks(split, _BLOCK_SIZE)
  return np.concatenate([block['labels'] for block in blocks])


def _reference(cell: cells.Cell, job: Job) -> dict[str, Any]:
  start = time.perf_counter()
  found = _reference_map(cell, job)
  return {'seconds': round(time.perf_counter() - start, 1), **found}


def _reference_map(cell: cells.Cell, job: Job) -> dict[str, Any]:
  splits = [job.dataset.split(name) for name in ('query', 'database', 'train')]
  query_labels, database_labels = map(labels_of, splits[:2])
  ks = tuple(job.config.eval.ks)
  if cell.method == 'random':
    return measures.of_random_codes(
      cell.bits, query_labels, database_labels, ks, cell.seed
    )
  query, database, train = (
    np.concatenate(list(pooled.of_split(split).read())) for split in splits
  )
  centre = train.mean(axis=0)
  scored = evaluation.evaluate_vectors(
    query - centre, query_labels, database - centre, database_labels, ks=ks
  )
  return {'map': measures.by_protocol(scored.map)}


def codes_path(
  cell: cells.Cell, folders: cells.Folders, split: str
) -> pathlib.Path:
  """Where a finished cell's packed codes of 'query' or 'database' are."""
  return cell.workdir(folders) / 'codes' / f'{split}.npy'
