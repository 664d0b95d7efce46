"""Several hosts: joining them, and waiting for each other."""

from __future__ import annotations

import jax
import numpy as np
from jax.experimental import multihost_utils

from nph_jax import errors


def start(coordinator: str | None, num_processes: int, process_id: int) -> None:
  """Joins the other hosts, if a coordinator is named.

  Args:
    coordinator: HOST:PORT of process 0.
    num_processes: hosts in all.
    process_id: this host's number, from 0.

  Raises:
    UserError: the numbers do not fit, or the coordinator does not answer.
  """
  if coordinator is None:
    if num_processes != 1 or process_id != 0:
      raise errors.UserError(
        '--num_processes and --process_id need --coordinator=HOST:PORT.'
      )
    return
  if not 0 <= process_id < num_processes:
    raise errors.UserError(
      f'--process_id is {process_id}; it has to be from 0 to '
      f'{num_processes - 1}, one less than --num_processes.'
    )
  try:
    jax.distributed.initialize(coordinator, num_processes, process_id)
  except (RuntimeError, ValueError) as error:
    raise errors.UserError(
      f'--coordinator={coordinator}: the {num_processes} processes could not '
      f'be joined ({str(error).splitlines()[0]}).'
    ) from error


def is_primary() -> bool:
  """Whether this process writes the files that all share."""
  return jax.process_index() == 0


def barrier(name: str) -> None:
  """Waits until every process is here."""
  if jax.process_count() > 1:
    multihost_utils.sync_global_devices(name)


def from_primary(number: int) -> int:
  """The number that process 0 calls this with; every process has to call it."""
  if jax.process_count() == 1:
    return number
  return int(multihost_utils.broadcast_one_to_all(np.int32(number)))
