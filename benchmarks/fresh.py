"""Functions called in a new process each: their memory and start are theirs."""

from __future__ import annotations

import importlib
import multiprocessing
import os
import signal
import sys
from collections.abc import Mapping
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
  module, _, name = function.partition(':')
  value = getattr(importlib.import_module(module), name)(**arguments)
  send.send({**value, 'peak_bytes': measuring.peak_memory()})
  send.close()
