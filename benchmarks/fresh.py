"""Functions called in a new process each: their memory and start are theirs.

python -m benchmarks.fresh MODULE:FUNCTION ARGUMENTS.json RESULT.json
"""

from __future__ import annotations

import contextlib
import importlib
import json
import os
import pathlib
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping
from typing import Any

from benchmarks import measuring
from nph_jax import atomic, errors

ROOT = pathlib.Path(__file__).parent.parent


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
    **arguments: of the function, as JSON has them.

  Returns:
    None where it took longer than `timeout`; it is ended then.

  Raises:
    UserError: it failed; its own words are on stderr.
  """
  print(f'  {function} {_brief(arguments)}', file=sys.stderr, flush=True)
  with tempfile.TemporaryDirectory() as folder:
    given, result = (pathlib.Path(folder) / name for name in ('in', 'out'))
    given.write_text(json.dumps(arguments))
    command = [
      sys.executable,
      '-m',
      'benchmarks.fresh',
      function,
      given,
      result,
    ]
    with _process(command, environment or {}) as process:
      try:
        code = process.wait(timeout)
      except subprocess.TimeoutExpired:
        return None
    if code:
      raise errors.UserError(
        f'{function}: failed with exit code {code}; what it said is above.'
      )
    return json.loads(result.read_text())


@contextlib.contextmanager
def _process(
  command: list[Any], environment: Mapping[str, str]
) -> Iterator[subprocess.Popen]:
  """A process, ended with all that it started when it is left running."""
  everything = {**os.environ, 'JAX_PLATFORMS': 'cpu', **environment}
  process = subprocess.Popen(
    command, cwd=ROOT, env=everything, start_new_session=True
  )
  try:
    yield process
  finally:
    if process.poll() is None:
      os.killpg(process.pid, signal.SIGKILL)
      process.wait()


def _brief(arguments: Mapping[str, Any]) -> str:
  shown = [f'{name}={value}' for name, value in arguments.items()]
  return ' '.join(text for text in shown if len(text) < 60)


def main(argv: list[str]) -> None:
  """The new process: calls MODULE:FUNCTION and writes what it returns.

  Args:
    argv: the function, a JSON file of its arguments, the file of the result.
  """
  function, given, result = argv
  module, _, name = function.partition(':')
  arguments = json.loads(pathlib.Path(given).read_text())
  value = getattr(importlib.import_module(module), name)(**arguments)
  peak = {'peak_bytes': measuring.peak_memory()}
  atomic.write_json(result, {**value, **peak})


if __name__ == '__main__':
  errors.run_main(lambda: main(sys.argv[1:]))
