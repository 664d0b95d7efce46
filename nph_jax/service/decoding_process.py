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
MAX_BYTES = 256 << 20  # of a message


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
    connection.send_bytes(pack({'error': str(error)}))
    return
  sandbox.limit(memory_bytes)
  connection.send_bytes(pack({}))
  while True:
    try:
      job, _ = unpack(connection.recv_bytes())
      descriptor = reduction.recv_handle(connection)
    except (EOFError, OSError):
      return
    # Ends the process even inside a library that never comes back.
    signal.alarm(math.ceil(seconds) + _GRACE_SECONDS)
    for message in _answers(handle, job, descriptor):
      connection.send_bytes(message)
    signal.alarm(0)


def _answers(
  handle: Handler, job: dict[str, Any], descriptor: int
) -> Iterator[bytes]:
  try:
    with _Named(io.FileIO(descriptor)) as file:
      file.name = job.get('name', '')
      file.seek(0, os.SEEK_SET)
      answer = handle(job, file)
      for part in [answer] if isinstance(answer, tuple) else answer:
        yield pack(*part)
      return
  except errors.UserError as error:
    failed = {'error': str(error)}
  except MemoryError:
    failed = {'memory': True}
  # Not within: an exception that is still there keeps what its frames hold.
  yield pack(failed)


def pack(fields: dict[str, Any], blobs: Sequence[bytes] = ()) -> bytes:
  """One message of `fields`, JSON values, and `blobs`."""
  head = {'fields': fields, 'sizes': [len(blob) for blob in blobs]}
  return b'\n'.join([json.dumps(head).encode(), b''.join(blobs)])


def unpack(message: bytes) -> tuple[dict[str, Any], list[bytes]]:
  """The inverse of `pack`.

  Raises:
    ValueError: it is not a message.
  """
  first, _, rest = message.partition(b'\n')
  head = json.loads(first)
  if not isinstance(head, dict) or not isinstance(head.get('fields'), dict):
    raise ValueError('not a message')
  sizes = head['sizes']
  if any(size < 0 for size in sizes) or sum(sizes) != len(rest):
    raise ValueError('not a whole message')
  blobs, start = [], 0
  for size in sizes:
    blobs.append(rest[start : start + size])
    start += size
  return head['fields'], blobs
