"""What is computed from the training videos before a method is trained.

The neighbourhood depends on data, seed and configuration of what yields y, not
on the method: with config.neighborhood.dir many runs share it. What a
method fits for itself stays in its workdir.
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
import pathlib
import zipfile
from typing import Any

import jax.numpy as jnp
import numpy as np

from nph_jax import atomic, distributed, errors, rng
from nph_jax.data import pooled
from nph_jax.models import log_covariance
from nph_jax.neighborhood import side_files
from nph_jax.stages.job import Job

# What is made from y, and so of no matter to what yields it.
_FROM_Y = (
  'num_anchors', 'num_nearest', 'paper_setting_from', 'target_density',
  'kmeans_iterations',
)  # fmt: skip


def neighborhood_key(job: Job) -> str:
  """A hash of all that the stored neighbourhood was made from."""
  return _hash(job, job.config.neighborhood.to_dict())


def _hash(job: Job, section: dict[str, Any]) -> str:
  run = dataclasses.asdict(job.feature_run)
  del section['dir'], section['run']
  del run['checkpoint_every'], run['log_every'], run['ahead']
  made_from = {
    'data': job.dataset.key,
    'neighborhood': section,
    'features': repr(job.y_module),
    'run': run,
  }
  if section['features'] == 'second_moments':
    made_from['pooling'] = log_covariance.CONSTANTS
  text = json.dumps(made_from, sort_keys=True)
  return hashlib.blake2b(text.encode(), digest_size=16).hexdigest()


def neighborhood_folder(job: Job) -> pathlib.Path:
  """Where the neighbourhood's files are, or will be.

  A shared folder holds one for each key, so that none can be taken for another.
  """
  shared = job.config.neighborhood.dir
  if not shared:
    return job.workdir.neighborhood
  return pathlib.Path(shared) / neighborhood_key(job)


def feature_folder(job: Job) -> pathlib.Path:
  """Where the checkpoints of what yields y are, or will be.

  In a shared folder likewise by key, one that other anchors leave as it is.
  """
  shared = job.config.neighborhood.dir
  if not shared:
    return job.workdir.neighborhood / 'features'
  section = job.config.neighborhood.to_dict()
  kept = {k: v for k, v in section.items() if k not in _FROM_Y}
  return pathlib.Path(shared) / f'features-{_hash(job, kept)}'


def neighborhood_stamp(job: Job) -> dict[str, Any] | None:
  """num_anchors, num_nearest and the statistics of S; None if not prepared."""
  path = _stamp_path(job)
  if not path.exists():
    return None
  try:
    stamp = json.loads(path.read_text())
    return stamp if stamp['key'] == neighborhood_key(job) else None
  except (ValueError, TypeError, KeyError) as error:
    raise errors.UserError(
      f'{path}: is damaged; remove it and run the stage prepare again.'
    ) from error


def set_neighborhood_stamp(job: Job, values: dict[str, Any]) -> None:
  """Declares the files of `neighborhood_folder` complete."""
  stamp = {'key': neighborhood_key(job), **values}
  atomic.write_json(_stamp_path(job), stamp)


def _stamp_path(job: Job) -> pathlib.Path:
  return neighborhood_folder(job) / 'neighborhood.json'


def tables(job: Job, fit: bool = True) -> dict[str, jnp.ndarray]:
  """All tables of the job's method.

  Every process has to call it: they wait for the one that fits.

  Args:
    job: the job.
    fit: whether to compute what the method fits, if that is not stored yet.

  Returns:
    anchors [C, D] and anchor_indices [N, A] of the training videos, if the
    method needs a neighbourhood, and what it fits itself.

  Raises:
    UserError: the neighbourhood is needed and not prepared.
  """
  found = neighborhood(job) if job.method.needs_neighborhood else {}
  path = job.workdir.root / 'tables.npz'
  if fit and not path.exists() and distributed.is_primary():
    _write_fitted(job, path)
  distributed.barrier('tables fitted')
  return {**found, **_read_fitted(path)}


def neighborhood(job: Job) -> dict[str, jnp.ndarray]:
  """anchors [C, D] and anchor_indices [N, A] of the training videos.

  Raises:
    UserError: they are not prepared.
  """
  if neighborhood_stamp(job) is None:
    raise errors.UserError(
      f'--workdir={job.workdir.root}: holds no neighbourhood of this '
      'configuration; run the stage prepare first.'
    )
  folder = neighborhood_folder(job)
  anchors = side_files.read_anchors(folder / 'anchors.h5')
  indices = side_files.read_anchor_indices(
    folder / 'train_assit.h5', len(anchors)
  )
  return {
    'anchors': jnp.asarray(anchors),
    'anchor_indices': jnp.asarray(indices, jnp.int32),
  }


def _write_fitted(job: Job, path: pathlib.Path) -> None:
  """Writes what the method fits, if it fits anything."""
  features = pooled.of_split(job.dataset.split('train'))
  key = rng.stream(job.config.seed, 'method tables')
  fitted = job.method.fit_tables(features, key)
  if fitted:
    with atomic.replacing(path) as temporary:
      np.savez(temporary, **fitted)


def _read_fitted(path: pathlib.Path) -> dict[str, jnp.ndarray]:
  if not path.exists():
    return {}
  try:
    # The file is opened here: numpy leaves a damaged one open.
    with open(path, 'rb') as file, np.load(file) as archive:
      return {name: jnp.asarray(archive[name]) for name in archive.files}
  except (ValueError, OSError, EOFError, zipfile.BadZipFile) as error:
    raise errors.UserError(
      f'{path}: is damaged; remove it and run the same command again.'
    ) from error
