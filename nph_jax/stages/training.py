"""Stage 2: the hashing method."""

from __future__ import annotations

import functools
import pathlib
from collections.abc import Callable

import jax
import numpy as np

from nph_jax import errors, train
from nph_jax.checkpoint import Checkpointer
from nph_jax.stages.fitting import fit, initial_state
from nph_jax.stages.job import Job
from nph_jax.train_state import TrainState


def run(job: Job) -> None:
  """Trains to the configured length, from where the workdir stands.

  Raises:
    UserError: the workdir was trained for longer than that already.
  """
  done = trained_steps(job)
  if done > job.run.num_steps:
    raise errors.UserError(
      f'--workdir={job.workdir.root}: is trained for {done} steps already, and '
      f'config.train.num_steps or num_epochs asks for {job.run.num_steps}; '
      'ask for more, or use another --workdir.'
    )
  if done == job.run.num_steps:
    return
  fit(
    job,
    job.run,
    job.method,
    job.optimizer,
    job.tables(),
    job.workdir.checkpoints,
  )


def trained_steps(job: Job) -> int:
  """Updates done at the newest checkpoint, 0 without one.

  Every process has to call it: they look at the checkpoints together.
  """
  if not job.workdir.checkpoints.exists():
    return 0
  with Checkpointer(job.workdir.checkpoints) as checkpointer:
    return checkpointer.latest_step or 0


def trained_state(job: Job) -> TrainState:
  """The state of the newest checkpoint, on the host.

  Every process has to call it: they read the checkpoint together.

  Raises:
    UserError: there is none.
  """
  like = functools.partial(
    initial_state, job, job.run, job.method, job.optimizer, job.tables()
  )
  return _restore(job.workdir.checkpoints, like, 'train')


def autoencoder_params(job: Job) -> dict:
  """The trained autoencoder's parameters; UserError if there are none."""
  like = functools.partial(
    initial_state,
    job,
    job.autoencoder_run,
    job.autoencoder,
    job.autoencoder_optimizer,
    {},
  )
  folder = job.workdir.neighborhood / 'autoencoder'
  return _restore(folder, like, 'prepare').params


def _restore(
  folder: pathlib.Path, initial: Callable[[], TrainState], stage: str
) -> TrainState:
  # Only the shapes are wanted: nothing is compiled or drawn for them.
  like = jax.tree.map(
    lambda x: np.zeros(x.shape, x.dtype), jax.eval_shape(initial)
  )
  with Checkpointer(folder) as checkpointer:
    restored = checkpointer.restore(train.replicate(like))
  if restored is None:
    raise errors.UserError(
      f'{folder}: holds no checkpoint; run the stage {stage} first.'
    )
  return jax.device_get(restored[0])
