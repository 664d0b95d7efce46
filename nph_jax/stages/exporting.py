"""Stage 4: the bundle for retrieval."""

from __future__ import annotations

from nph_jax import distributed
from nph_jax.export import bundle
from nph_jax.stages import bundling, training
from nph_jax.stages.job import Job


def run(job: Job) -> None:
  """Writes export/, unless it holds the newest checkpoint already."""
  stamp = {'step': training.trained_steps(job)}
  there = (job.workdir.export / 'manifest.json').is_file()
  if there and job.workdir.stamp('export') == stamp:
    return
  trained = bundling.trained_bundle(job)
  if distributed.is_primary():
    bundle.write(trained, job.workdir.export)
    job.workdir.set_stamp('export', stamp)
