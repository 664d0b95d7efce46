"""A process of its own for the files of strangers: it may hang or die."""

from __future__ import annotations

import math
import pathlib
import re
import signal
from collections.abc import Callable, Sequence
from multiprocessing.connection import Connection
from typing import Any

from nph_jax import errors
from nph_jax.service import messages

Handler = Callable[[dict[str, Any]], tuple[dict[str, Any], Sequence[bytes]]]

# Beyond the service's own time limit, for when the service itself is gone.
_GRACE_SECONDS = 5


def main(
  connection: Connection,
  load: Callable[..., Handler],
  arguments: Sequence[Any],
  seconds: float,
  memory_bytes: int,
) -> None:
  """Answers one job after the other until the service hangs up.

  Args:
    connection: to the service; the first message says whether `load` went well.
    load: makes the function that does a job.
    arguments: of `load`.
    seconds: that a job may take.
    memory_bytes: that a job may take on top of what `load` took.
  """
  # Ctrl-C reaches every process of a terminal; the service ends this one.
  signal.signal(signal.SIGINT, signal.SIG_IGN)
  try:
    handle = load(*arguments)
  except errors.UserError as error:
    connection.send_bytes(messages.pack({'error': str(error)}))
    return
  _limit(memory_bytes)
  connection.send_bytes(messages.pack({}))
  while True:
    try:
      job, _ = messages.unpack(connection.recv_bytes())
    except EOFError:
      return
    # Ends the process even inside a library that never comes back.
    signal.alarm(math.ceil(seconds) + _GRACE_SECONDS)
    connection.send_bytes(_answer(handle, job))
    signal.alarm(0)


def _answer(handle: Handler, job: dict[str, Any]) -> bytes:
  try:
    return messages.pack(*handle(job))
  except errors.UserError as error:
    return messages.pack({'error': str(error)})
  except MemoryError:
    return messages.pack({'memory': True})


def _limit(more: int) -> None:
  """Allows `more` bytes on top of what there is already; no core dumps."""
  import resource  # not on Windows, where nothing of this module runs

  resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
  status = pathlib.Path('/proc/self/status')
  if not status.exists():  # not Linux, where alone this limit is kept
    return
  # Not the address space, of which libraries reserve far more than they use.
  found = re.search(r'^VmData:\s+(\d+) kB', status.read_text(), re.M)
  limit = 1024 * int(found[1]) + more if found else resource.RLIM_INFINITY
  resource.setrlimit(resource.RLIMIT_DATA, (limit, limit))
