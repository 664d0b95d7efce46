"""Processes that each do one task at a time, and may die of it.

A file that crashes the decoder or keeps it busy for ever costs one task and
one process.
"""

from __future__ import annotations

import collections
import itertools
import multiprocessing
import signal
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from nph_jax import errors


@dataclass(frozen=True)
class Failure:
  """What came of a task instead of a result: `reason`, one sentence."""

  reason: str


def ordered(
  function: Callable[[Any], Any],
  tasks: Sequence[Any],
  *,
  num_workers: int,
  ahead: int,
  time_limit: float,
) -> Iterator[Any]:
  """Yields function(task) of every task, in order.

  Args:
    function: importable by name; what it raises becomes a Failure.
    tasks: picklable; str(task) names one to a person.
    num_workers: processes.
    ahead: tasks begun beyond the last yielded: bounds the memory of results.
    time_limit: seconds a task may take; its process is ended after them.

  Raises:
    UserError: Pebble is not installed.
  """
  pool = processes(min(num_workers, len(tasks)))
  left = iter(tasks)
  waiting: collections.deque[tuple[Any, Any]] = collections.deque()

  def begin(count: int) -> None:
    for task in itertools.islice(left, count):
      made = pool.schedule(attempt, (function, task), timeout=time_limit)
      waiting.append((task, made))

  try:
    begin(ahead)
    while waiting:
      result = result_of(*waiting.popleft(), time_limit)
      begin(1)
      yield result
  finally:
    pool.stop()
    pool.join()


def processes(count: int) -> Any:
  """A pool of so many, begun when they are needed.

  Raises:
    UserError: Pebble is not installed.
  """
  # Not forked: a worker must not hold copies of pipes, whose end is how it
  # learns that the main process was killed.
  context = multiprocessing.get_context('spawn')
  return _import_pebble().ProcessPool(count, context=context)


def _import_pebble() -> Any:
  return errors.import_extra(
    'pebble', 'video', "videos are decoded in Pebble's processes"
  )


def result_of(task: Any, future: Any, time_limit: float) -> Any:
  """What a process made of a task, or a Failure."""
  try:
    return future.result()
  except TimeoutError:
    return Failure(
      f'{task}: took more than {time_limit:g} seconds, the limit; leave it '
      'out, or raise --time_limit.'
    )
  except _import_pebble().ProcessExpired as error:
    code = error.exitcode
    how = signal.Signals(-code).name if code < 0 else f'exit code {code}'
    return Failure(
      f'{task}: its decoding process died ({how}); convert the file, or leave '
      'it out.'
    )


def attempt(function: Callable[[Any], Any], task: Any) -> Any:
  """function(task), or a Failure of what it raises."""
  try:
    return function(task)
  except errors.UserError as error:
    return Failure(str(error))
  # Whatever a file makes a library raise, the other files go on.
  except Exception as error:
    return Failure(
      f'{task}: cannot be processed ({type(error).__name__}: {error}); convert '
      'the file, or leave it out.'
    )
