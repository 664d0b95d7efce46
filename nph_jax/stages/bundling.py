"""The trained hasher of a job, which both evaluation and export use."""

from __future__ import annotations

import json

from nph_jax.export import bundle
from nph_jax.stages import training
from nph_jax.stages.job import Job


def trained_bundle(job: Job) -> bundle.Bundle:
  """The bundle of the newest checkpoint; UserError if there is none."""
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
    job.autoencoder.module,
    training.autoencoder_params(job),
    job.tables()['anchors'],
    job.workdir.stamp('prepare')['num_nearest'],
    job.config.export.block_size,
    about,
  )
