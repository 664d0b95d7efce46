"""Stage 2: the hashing method."""

from __future__ import annotations

import functools
import pathlib
from typing import Any

import jax
import numpy as np

from nph_jax import errors, train, train_state
from nph_jax.checkpoint import Checkpointer
from nph_jax.stages import tables
from nph_jax.stages.fitting import fit, initial_state, save_closed_form
from nph_jax.stages.job import Job
from nph_jax.train_state import TrainState


def run(job: Job) -> None:
  """Trains to the configured length, from where the workdir stands.

  Of a closed form the initial state is the result: a checkpoint of step 0.

  Raises:
    UserError: the workdir was trained for longer than that already.
  """
  done = _latest_step(job)
  if done is not None and done > job.run.num_steps:
    raise errors.UserError(
      f'--workdir={job.workdir.root}: is trained for {done} steps already, and '
      f'config.train.num_steps or num_epochs asks for {job.run.num_steps}; '
      'ask for more, or use another --workdir.'
    )
  if done == job.run.num_steps:
    return
  what = (job, job.run, job.method, job.optimizer, tables.tables(job))
  if job.method.is_closed_form:
    save_closed_form(job, initial_state(*what), job.workdir.checkpoints)
  else:
    fit(*what, job.workdir.checkpoints)


def trained_steps(job: Job) -> int:
  """Updates done at the newest checkpoint, 0 without one.

  Every process has to call it: they look at the checkpoints together.
  """
  return _latest_step(job) or 0


def _latest_step(job: Job) -> int | None:
  if not job.workdir.checkpoints.exists():
    return None
  with Checkpointer(job.workdir.checkpoints) as checkpointer:
    return checkpointer.latest_step


def trained_state(job: Job) -> TrainState:
  """The state of the newest checkpoint, on the host.

  Every process has to call it: they read the checkpoint together.

  Raises:
    UserError: there is none.
  """
  # Without a checkpoint nothing is fitted either, which may take minutes.
  found = tables.tables(job, fit=_latest_step(job) is not None)
  what = (job, job.run, job.method, job.optimizer, found)
  return _restore(job.workdir.checkpoints, what, 'train')


def y_params(job: Job) -> dict:
  """The parameters of what yields y; UserError if it is not trained."""
  if job.refined:
    return job.refined.params
  what = (job, job.feature_run, job.feature_method, job.feature_optimizer, {})
  return _restore(tables.feature_folder(job), what, 'prepare').params


def _restore(
  folder: pathlib.Path, what: tuple[Any, ...], stage: str
) -> TrainState:
  """The newest state in `folder`, of what `initial_state` is told of."""
  with Checkpointer(folder) as checkpointer:
    if checkpointer.latest_step is None:
      raise errors.UserError(
        f'{folder}: holds no checkpoint; run the stage {stage} first.'
      )
    # Only the shapes are wanted: nothing is compiled or drawn for them.
    shapes = jax.eval_shape(
      functools.partial(initial_state, *what, create=train_state.initial)
    )
    like = jax.tree.map(lambda x: np.zeros(x.shape, x.dtype), shapes)
    state, _ = checkpointer.restore(train.replicate(like))
  return jax.device_get(state)
