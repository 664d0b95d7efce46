"""Functions called in a new process each: their memory and start are theirs."""

from __future__ import annotations

import contextlib
import importlib
import math
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

ON_CPU = {'JAX_PLATFORMS': 'cpu'}
_PATIENCE = 10  # seconds for a process to end by itself


def call(function: str, **arguments: Any) -> dict[str, Any]:
  """What `function` returns on a CPU, a dict, and its process's `peak_bytes`.

  Args:
    function: MODULE:NAME.
    **arguments: of the function.

  Raises:
    UserError: it failed; its own words are on stderr.
  """
  process, pipe = _started(_run, function, arguments, ON_CPU)
  try:
    result = pipe.recv()
  except EOFError:
    process.join()
    raise errors.UserError(
      f'{function}: failed with exit code {process.exitcode}; what it said is '
      'above.'
    ) from None
  except BaseException:
    _end(process)
    raise
  process.join()
  return result


def _started(
  target: Callable[..., None],
  function: str,
  arguments: dict[str, Any],
  environment: Mapping[str, str],
) -> tuple[multiprocessing.Process, Connection]:
  """A process that runs `target`, and a pipe to it."""
  print(f'  {function} {_brief(arguments)}', file=sys.stderr, flush=True)
  context = multiprocessing.get_context('spawn')
  pipe, there = context.Pipe()
  process = context.Process(target=target, args=(there, function, arguments))
  # As it starts it imports this program's main module, which may read them.
  with mock.patch.dict(os.environ, environment):
    process.start()
  there.close()
  return process, pipe


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
  """A process that prepares, says so, and measures whenever told to.

  Its function returns a function, which it calls then and whose dict it sends.
  """

  def __init__(
    self,
    function: str,
    *,
    environment: Mapping[str, str] | None = None,
    **arguments: Any,
  ):
    """Starts it.

    Args:
      function: MODULE:NAME.
      environment: added to this process's.
      **arguments: of the function.
    """
    self._process, self._pipe = _started(
      _serve, function, arguments, environment or {}
    )

  def wait(self, until: float) -> bool:
    """Whether it is ready by `until`, of time.monotonic(); ends it if not."""
    return self._receive(until) is not None

  def go(self, until: float = math.inf) -> dict[str, Any] | None:
    """What it measures, or None where it takes longer, or fails."""
    with contextlib.suppress(OSError):  # it has ended: nothing will come
      self._pipe.send('go')
    return self._receive(until)

  def end(self) -> None:
    """Lets it end, or else ends it, with all that it started."""
    self._pipe.close()
    self._process.join(_PATIENCE)
    self._kill()

  def _kill(self) -> None:
    _end(self._process)
    self._process.join()

  def _receive(self, until: float) -> Any:
    left = None if until == math.inf else max(0, until - time.monotonic())
    try:
      if self._pipe.poll(left):
        return self._pipe.recv()
    except (EOFError, OSError):
      pass  # it failed; its own words are on stderr
    self._kill()
    return None


def _serve(pipe: Connection, function: str, arguments: dict[str, Any]) -> None:
  """The process of a Worker."""
  os.setsid()
  measure = _named(function)(**arguments)
  pipe.send('ready')
  with contextlib.suppress(EOFError):  # nobody asks any more
    while pipe.recv():
      pipe.send(measure())
