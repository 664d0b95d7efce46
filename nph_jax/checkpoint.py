"""Checkpoints: the state, where the data stood, and what they belong to.

A checkpoint appears under its final name only when all of it is written, so
that a process killed at any moment leaves the one before it. The state is
stored without any trace of how many devices held it.
"""

from __future__ import annotations

import os
import pathlib
import shutil
import tempfile
from typing import Any

import jax
import orbax.checkpoint as ocp

from nph_jax import errors


class Checkpointer:
  """The last few checkpoints of one training run.

  Args:
    directory: theirs alone.
    keep: how many stay.
  """

  def __init__(self, directory: str | pathlib.Path, keep: int = 3):
    self._directory = pathlib.Path(directory).absolute()
    with errors.writing(self._directory):
      self._directory.mkdir(parents=True, exist_ok=True)
    self._manager = ocp.CheckpointManager(
      self._directory,
      options=ocp.CheckpointManagerOptions(
        max_to_keep=keep,
        enable_async_checkpointing=False,
        cleanup_tmp_directories=True,
      ),
    )

  @property
  def latest_step(self) -> int | None:
    """Updates done at the newest checkpoint, None without one."""
    return self._manager.latest_step()

  def path(self, step: int) -> pathlib.Path:
    """Folder of the checkpoint of `step`."""
    return self._directory / str(step)

  def save(self, state: Any, position: dict[str, int]) -> None:
    """Writes `state`, unless its step is there already.

    Args:
      state: a TrainState.
      position: the data position and the seed, as plain numbers.

    Raises:
      UserError: the disk is full; earlier checkpoints stay.
    """
    step = int(state.step)
    if step in self._manager.all_steps():
      return
    try:
      self._check_space(state)
      self._manager.save(
        step,
        args=ocp.args.Composite(
          state=ocp.args.StandardSave(state),
          position=ocp.args.JsonSave(position),
        ),
        force=True,
      )
    except (OSError, ValueError) as error:
      for unfinished in self._directory.glob('*.orbax-checkpoint-tmp'):
        shutil.rmtree(unfinished, ignore_errors=True)
      raise errors.UserError(
        f'{self.path(step)}: the checkpoint could not be written '
        f'({_first_line(error)}); free some space and run the same command '
        f'again, it continues from step {self.latest_step or 0}.'
      ) from error

  def _check_space(self, state: Any) -> None:
    """Reserves the checkpoint's size for a moment; OSError if there is none.

    Found out while writing, a full disk makes the library's threads print
    their tracebacks over the one sentence.
    """
    if not hasattr(os, 'posix_fallocate'):
      return  # macOS has none
    size = sum(x.nbytes for x in jax.tree.leaves(state))
    with tempfile.TemporaryFile(dir=self._directory) as file:
      os.posix_fallocate(file.fileno(), 0, size)

  def restore(self, like: Any) -> tuple[Any, dict[str, int]] | None:
    """The newest (state, position), None without one.

    Args:
      like: a TrainState of the shapes expected; its placement is kept.

    Raises:
      UserError: the checkpoint does not fit the configured model.
    """
    step = self.latest_step
    if step is None:
      return None
    abstract = jax.tree.map(ocp.utils.to_shape_dtype_struct, like)
    try:
      restored = self._manager.restore(
        step,
        args=ocp.args.Composite(
          state=ocp.args.StandardRestore(abstract),
          position=ocp.args.JsonRestore(),
        ),
      )
    except (ValueError, KeyError, OSError) as error:
      raise errors.UserError(
        f'{self.path(step)}: the checkpoint cannot be read for this '
        f'configuration ({_first_line(error)}); use another --workdir or '
        'remove that folder to continue from the one before it.'
      ) from error
    return restored['state'], restored['position']

  def close(self) -> None:
    """Releases the folder."""
    self._manager.close()

  def __enter__(self) -> Checkpointer:
    return self

  def __exit__(self, *exception) -> None:
    self.close()


def _first_line(error: BaseException) -> str:
  return str(error).strip().split('\n')[0][:120]
