"""A process of its own for the files of strangers: it may hang or die."""

from __future__ import annotations

import importlib
import io
import json
import math
import os
import signal
from collections.abc import Callable, Iterator, Sequence
from multiprocessing import reduction
from multiprocessing.connection import Connection
from typing import Any, BinaryIO

from nph_jax import errors
from nph_jax.service import sandbox

Answer = tuple[dict[str, Any], Sequence[bytes]]
# Of a long job in parts, all but the last of which have `more` in their fields.
Handler = Callable[[dict[str, Any], BinaryIO], Answer | Iterator[Answer]]

# Beyond the service's own time limit, for when the service itself is gone.
_GRACE_SECONDS = 5
_MAX_BYTES, _MAX_BLOBS = 256 << 20, 10_000  # of a message


class _Named(io.BufferedReader):
  """An open file, by what its sender calls it."""

  name = ''  # type: ignore[assignment]


def main(
  connection: Connection,
  module: str,
  name: str,
  arguments: Sequence[Any],
  seconds: float,
  memory_bytes: int,
  offline: bool,
) -> None:
  """Answers one job after the other until the service hangs up.

  A job comes with a file that is open already: no path leads here.

  Args:
    connection: to the service; the first message says whether `load` went well.
    module, name: of the function `load`, which makes the one that does a job;
      imported here, since what it imports begins threads.
    arguments: of `load`.
    seconds: that a job may take.
    memory_bytes: that a job may take on top of what `load` took.
    offline: whether `load` needs no network either.
  """
  # Ctrl-C reaches every process of a terminal; the service ends this one.
  signal.signal(signal.SIGINT, signal.SIG_IGN)
  if offline:
    sandbox.leave_network()
  try:
    load = getattr(importlib.import_module(module), name)
    handle: Handler = load(*arguments)
  except errors.UserError as error:
    send(connection, {'error': str(error)})
    return
  sandbox.limit(memory_bytes)
  send(connection, {})
  while True:
    try:
      job, _ = receive(connection)
      descriptor = reduction.recv_handle(connection)
    except (EOFError, OSError):
      return
    # Ends the process even inside a library that never comes back.
    signal.alarm(math.ceil(seconds) + _GRACE_SECONDS)
    for answer in _answers(handle, job, descriptor):
      send(connection, *answer)
    signal.alarm(0)


def _answers(
  handle: Handler, job: dict[str, Any], descriptor: int
) -> Iterator[Answer]:
  try:
    with _Named(io.FileIO(descriptor)) as file:
      file.name = job.get('name', '')
      file.seek(0, os.SEEK_SET)
      answer = handle(job, file)
      yield from [answer] if isinstance(answer, tuple) else answer
      return
  except errors.UserError as error:
    failed = {'error': str(error)}
  except MemoryError:
    failed = {'memory': True}
  # Not within: an exception that is still there keeps what its frames hold.
  yield failed, []


def send(
  connection: Connection, fields: dict[str, Any], blobs: Sequence[bytes] = ()
) -> None:
  """Sends `fields`, JSON values, and `blobs`."""
  connection.send_bytes(json.dumps([fields, len(blobs)]).encode())
  for blob in blobs:
    connection.send_bytes(blob)


def receive(connection: Connection) -> tuple[dict[str, Any], list[bytes]]:
  """What `send` sent, or whatever else did: it is not believed.

  Raises:
    ValueError, TypeError: it is no message.
    EOFError, OSError: nobody is there any more, or it is too large.
  """
  fields, count = json.loads(connection.recv_bytes(_MAX_BYTES))
  if not isinstance(fields, dict):
    raise ValueError('not a message')
  blobs, left = [], _MAX_BYTES
  for _ in range(min(count, _MAX_BLOBS)):
    blobs.append(connection.recv_bytes(left))
    left -= len(blobs[-1])
  return fields, blobs
