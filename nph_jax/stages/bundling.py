"""The trained hasher of a job, which both evaluation and export use."""

from __future__ import annotations

import json

from nph_jax.export import bundle
from nph_jax.stages import tables, training
from nph_jax.stages.job import Job


def trained_bundle(job: Job) -> bundle.Bundle:
  """The bundle of the newest checkpoint, built once; UserError without one."""
  step = training.trained_steps(job)
  if step not in job.bundles:
    job.bundles[step] = _build(job)
  return job.bundles[step]


def _build(job: Job) -> bundle.Bundle:
  state = training.trained_state(job)
  about = {
    'dataset': job.config.data.name,
    'method': job.config.method,
    'step': int(state.step),
    'data_key': job.dataset.key,
    'config': json.loads(job.config.to_json()),
  }
  return bundle.build(
    job.method,
    job.method.inference_variables(state.params, state.collections),
    _neighborhood(job),
    job.config.export.block_size,
    about,
    job.config.model.precision,
  )


def _neighborhood(job: Job) -> bundle.Neighborhood | None:
  method = job.method
  if not (method.needs_neighborhood and method.encodes_neighborhood):
    return None
  return bundle.Neighborhood(
    job.y_module,
    training.y_params(job),
    tables.neighborhood(job)['anchors'],
    tables.neighborhood_stamp(job)['num_nearest'],
  )
