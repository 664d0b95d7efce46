"""Processes that each do one task at a time, and may die of it.

A file that crashes the decoder or keeps it busy for ever costs one task and
one process; concurrent.futures would give up all of them.
"""

from __future__ import annotations

import contextlib
import dataclasses
import multiprocessing
import queue
import signal
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from multiprocessing import connection
from typing import Any

from nph_jax import errors

_POLL_SECONDS = 0.1


@dataclasses.dataclass(frozen=True)
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
  """
  pool = _Pool(function, min(num_workers, len(tasks)), time_limit)
  pump = _Pump(pool, tasks, ahead)
  try:
    pump.start()
    for _ in tasks:
      yield pump.take()
  finally:
    pump.stop()
    pool.close()


class _Pump(threading.Thread):
  """Keeps the processes busy while whoever takes the results computes."""

  def __init__(self, pool: _Pool, tasks: Sequence[Any], ahead: int):
    super().__init__(daemon=True)
    self._pool, self._tasks, self._ahead = pool, tasks, ahead
    self._results: queue.Queue[Any] = queue.Queue()
    self._taken = 0
    self._stopped = threading.Event()

  def take(self) -> Any:
    result = self._results.get()
    if isinstance(result, BaseException):
      raise result
    self._taken += 1
    return result

  def stop(self) -> None:
    self._stopped.set()
    if self.is_alive():
      self.join()

  def run(self) -> None:
    try:
      self._run()
    # Whatever it is, it has to reach the thread that waits for a result.
    except BaseException as error:
      self._results.put(error)

  def _run(self) -> None:
    done: dict[int, Any] = {}
    begun = yielded = 0
    while yielded < len(self._tasks) and not self._stopped.is_set():
      room = min(len(self._tasks), self._taken + self._ahead)
      while begun < room and self._pool.begin(begun, self._tasks[begun]):
        begun += 1
      done.update(self._pool.results())
      while yielded in done:
        self._results.put(done.pop(yielded))
        yielded += 1


class _Worker:
  """A process and the task it is at."""

  def __init__(self, function: Callable[[Any], Any]):
    # Not forked: a worker must not hold copies of the others' pipes, whose
    # end is how it learns that the main process was killed.
    context = multiprocessing.get_context('spawn')
    self.pipe, other = context.Pipe()
    self.process = context.Process(
      target=_serve, args=(other, function), daemon=True
    )
    self.process.start()
    other.close()
    self.number: int | None = None
    self.task: Any = None
    self.started = 0.0

  def begin(self, number: int, task: Any) -> None:
    self.number, self.task, self.started = number, task, time.monotonic()
    # A process that died idle is found out when its answer is read.
    with contextlib.suppress(OSError):
      self.pipe.send(task)

  def stop(self) -> None:
    self.process.kill()
    self.process.join()
    self.pipe.close()


class _Pool:
  def __init__(
    self, function: Callable[[Any], Any], num_workers: int, time_limit: float
  ):
    self._function = function
    self._time_limit = time_limit
    self._workers: list[_Worker] = []
    try:
      for _ in range(num_workers):
        self._workers.append(_Worker(function))
    except BaseException:
      self.close()
      raise

  def begin(self, number: int, task: Any) -> bool:
    """Gives the task to an idle process; False if there is none."""
    for worker in self._workers:
      if worker.number is None:
        worker.begin(number, task)
        return True
    return False

  def results(self) -> dict[int, Any]:
    """Waits for something to happen; returns what ended, by number."""
    busy = [worker for worker in self._workers if worker.number is not None]
    ready = connection.wait([worker.pipe for worker in busy], _POLL_SECONDS)
    ended = {}
    for worker in busy:
      if worker.pipe in ready:
        ended[worker.number] = self._receive(worker)
      elif time.monotonic() - worker.started > self._time_limit:
        ended[worker.number] = Failure(
          f'{worker.task}: took more than {self._time_limit:g} seconds, the '
          'limit; leave it out, or raise --time_limit.'
        )
        self._replace(worker)
      else:
        continue
      worker.number = None
    return ended

  def _receive(self, worker: _Worker) -> Any:
    try:
      return worker.pipe.recv()
    except (EOFError, OSError):
      worker.process.join()
      code = worker.process.exitcode
      how = signal.Signals(-code).name if code < 0 else f'exit code {code}'
      self._replace(worker)
      return Failure(
        f'{worker.task}: its decoding process died ({how}); convert the file, '
        'or leave it out.'
      )

  def _replace(self, worker: _Worker) -> None:
    worker.stop()
    self._workers[self._workers.index(worker)] = _Worker(self._function)

  def close(self) -> None:
    for worker in self._workers:
      worker.stop()


def _serve(pipe: connection.Connection, function: Callable[[Any], Any]) -> None:
  # The main process decides what an interruption means.
  signal.signal(signal.SIGINT, signal.SIG_IGN)
  with contextlib.suppress(EOFError, OSError):
    while True:
      pipe.send(_attempt(function, pipe.recv()))


def _attempt(function: Callable[[Any], Any], task: Any) -> Any:
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
