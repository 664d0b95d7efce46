"""What both trainings share: state, batches, checkpoints and logs."""

from __future__ import annotations

import dataclasses
import functools
import pathlib
from collections.abc import Callable
from typing import Any

import jax

from nph_jax import distributed, epochs, rng, train, train_state
from nph_jax.checkpoint import Checkpointer
from nph_jax.data import pooled
from nph_jax.metric_writer import MetricWriter
from nph_jax.stages import residency
from nph_jax.stages.job import Job

_STEPS_PER_CALL = 10


def initial_state(
  job: Job,
  run: train.Run,
  method: Any,
  optimizer: Any,
  tables: dict,
  create: Callable[..., train_state.TrainState] = train_state.create,
) -> train_state.TrainState:
  """The state before the first step of `run`, by a function of train_state."""
  key = rng.stream(job.config.seed, f'{run.name} parameters')
  return create(method, optimizer, key, tables)


def save_closed_form(
  job: Job, state: train_state.TrainState, folder: pathlib.Path
) -> None:
  """Writes what needs no training as the checkpoint of step 0."""
  with Checkpointer(folder) as checkpointer:
    position = {'step': 0, 'seed': job.config.seed}
    checkpointer.save(train.replicate(state), position)


def _residency(job: Job) -> str:
  """As process 0 chooses it: the others have to run the same program."""
  mine = residency.choose(job.config.data.residency, job.frames_bytes)
  number = residency.CHOICES.index(mine)
  return residency.CHOICES[distributed.from_primary(number)]


def fit(
  job: Job,
  run: train.Run,
  method: Any,
  optimizer: Any,
  tables: dict,
  folder: pathlib.Path,
) -> train_state.TrainState:
  """Trains `method` on the training split, continuing what `folder` holds."""
  from nph_jax.data import input_pipeline  # tensorflow takes seconds

  split = job.dataset.split('train')
  where = _residency(job)
  batches = functools.partial(
    input_pipeline.train_batches,
    split,
    run.batch_size,
    rng.subseed(job.config.seed, f'{run.name} data order'),
    process_index=jax.process_index(),
    process_count=jax.process_count(),
    residency=where,
  )
  state = initial_state(job, run, method, optimizer, tables)
  resident = None
  if where == 'device':
    # Placed here, so that the copy in the host's memory is given up.
    resident = train.replicate(input_pipeline.all_frames(split))
  # A GPU waits for calls. A CPU gains nothing, and compiles a second program
  # where calls do not divide the steps.
  if jax.default_backend() != 'cpu':
    run = dataclasses.replace(run, steps_per_call=_STEPS_PER_CALL, ahead=True)
  with Checkpointer(folder, job.config.checkpoint.keep) as checkpointer:
    first = checkpointer.latest_step or 0
    with MetricWriter(
      job.workdir.logs / run.name, step=first, active=distributed.is_primary()
    ) as writer:
      writer.write_hparams(job.config.to_dict())
      return train.fit(
        run,
        method,
        optimizer,
        state,
        tables,
        lambda start: batches(start_step=start),
        checkpointer,
        writer,
        resident,
        epochs.hook(method, pooled.of_split(split).read_frames, run.seed),
      )
