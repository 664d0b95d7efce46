"""Functions called in a new process each: their memory and start are theirs."""

from __future__ import annotations

import contextlib
import importlib
import multiprocessing
import os
import signal
import sys
import time
from collections.abc import Callable, Mapping
from multiprocessing.connection import Connection
from typing import Any
from unittest import mock

from benchmarks import measuring
from nph_jax import errors


def call(
  function: str,
  *,
  timeout: float | None = None,
  environment: Mapping[str, str] | None = None,
  **arguments: Any,
) -> dict[str, Any] | None:
  """What `function` returns, a dict, and `peak_bytes` of its process.

  Args:
    function: MODULE:NAME.
    timeout: seconds it may take.
    environment: added to this process's.
    **arguments: of the function.

  Returns:
    None where it took longer than `timeout`; it is ended then, with all that it
    started.

  Raises:
    UserError: it failed; its own words are on stderr.
  """
  print(f'  {function} {_brief(arguments)}', file=sys.stderr, flush=True)
  context = multiprocessing.get_context('spawn')
  found, send = context.Pipe(duplex=False)
  process = context.Process(target=_run, args=(send, function, arguments))
  # As it starts it imports this program's main module, which may read them.
  everything = {'JAX_PLATFORMS': 'cpu', **(environment or {})}
  with mock.patch.dict(os.environ, everything):
    process.start()
  send.close()
  try:
    result = found.recv() if found.poll(timeout) else None
  except EOFError:
    process.join()
    raise errors.UserError(
      f'{function}: failed with exit code {process.exitcode}; what it said is '
      'above.'
    ) from None
  except BaseException:
    _end(process)
    raise
  if result is None:
    _end(process)
  process.join()
  return result


def _end(process: multiprocessing.Process) -> None:
  """With all that it started, once it has a group of its own."""
  try:
    os.killpg(process.pid, signal.SIGKILL)
  except ProcessLookupError:
    process.kill()


def _brief(arguments: Mapping[str, Any]) -> str:
  shown = [f'{name}={value}' for name, value in arguments.items()]
  return ' '.join(text for text in shown if len(text) < 60)


def _run(send: Connection, function: str, arguments: dict[str, Any]) -> None:
  """The new process: sends what MODULE:FUNCTION returns."""
  os.setsid()  # one group with what it starts, to be ended together
  value = _named(function)(**arguments)
  send.send({**value, 'peak_bytes': measuring.peak_memory()})
  send.close()


def _named(function: str) -> Callable[..., Any]:
  module, _, name = function.partition(':')
  return getattr(importlib.import_module(module), name)


class Worker:
  """A process that prepares, says so, and measures when told to.

  Its function returns a function, which it calls then and whose dict it sends.
  """

  def __init__(self, function: str, **arguments: Any):
    """Starts it.

    Args:
      function: MODULE:NAME.
      **arguments: of the function.
    """
    context = multiprocessing.get_context('spawn')
    self._pipe, there = context.Pipe()
    self._process = context.Process(
      target=_prepare, args=(there, function, arguments)
    )
    self._process.start()
    there.close()

  def wait(self, until: float) -> bool:
    """Whether it is ready by `until`, of time.monotonic(); ends it if not."""
    return self._receive(until) is not None

  def go(self, until: float) -> dict[str, Any] | None:
    """What it measures, or None where it takes longer, or fails."""
    with contextlib.suppress(OSError):  # it has ended: nothing will come
      self._pipe.send('go')
    return self._receive(until)

  def end(self) -> None:
    """Ends it, with all that it started."""
    _end(self._process)
    self._process.join()

  def _receive(self, until: float) -> Any:
    try:
      if self._pipe.poll(max(0, until - time.monotonic())):
        return self._pipe.recv()
    except (EOFError, OSError):
      pass  # it failed; its own words are on stderr
    self.end()
    return None


def _prepare(
  pipe: Connection, function: str, arguments: dict[str, Any]
) -> None:
  """The process of a Worker."""
  os.setsid()
  measure = _named(function)(**arguments)
  pipe.send('ready')
  pipe.recv()
  pipe.send(measure())
