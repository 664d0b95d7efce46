"""Videos as streams: each decoded by a process that keeps its place in it.

What one video shows is more than memory holds. So a process hands over some of
its frames, and decodes the next while the network sees these.
"""

from __future__ import annotations

import concurrent.futures
import dataclasses
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np

from nph_jax.extraction import tasks, workers

# Of such a process: what is left of its video.
_left: Iterator[np.ndarray | tasks.Decoded] = iter(())


@dataclasses.dataclass
class _Video:
  """One that is being decoded, by the only process of a pool."""

  number: int
  task: tasks.Task
  pool: Any
  rows: list[np.ndarray]


def ordered(
  work: Sequence[tasks.Task],
  features: Callable[[np.ndarray], np.ndarray],
  *,
  num_workers: int,
  ahead: int,
  time_limit: float,
) -> Iterator[tasks.Decoded | workers.Failure]:
  """Yields what tasks.stream makes of every video, in order.

  At most tasks.CHUNK frames of each process are in memory, and as many here.

  Args:
    work: of which each has a spacing.
    features: of the backbone, called here, with the frames of one stream.
    num_workers: processes.
    ahead: videos begun beyond the last yielded.
    time_limit: seconds to decode CHUNK frames of a stream.

  Raises:
    UserError: Pebble is not installed.
  """
  free = [workers.processes(1) for _ in range(min(num_workers, len(work)))]
  pools, done = list(free), {}
  running: dict[concurrent.futures.Future, _Video] = {}

  def begin(video: _Video, step: Callable[[tasks.Task], Any]) -> None:
    arguments = step, video.task
    made = video.pool.schedule(workers.attempt, arguments, timeout=time_limit)
    running[made] = video

  try:
    begun = 0
    for number in range(len(work)):
      while number not in done:
        while free and begun < min(len(work), number + ahead):
          begin(_Video(begun, work[begun], free.pop(), []), _first)
          begun += 1
        first = concurrent.futures.FIRST_COMPLETED
        for future in concurrent.futures.wait(running, None, first).done:
          video = running.pop(future)
          part = workers.result_of(video.task, future, time_limit)
          if isinstance(part, np.ndarray):
            begin(video, _next)  # decodes while the network sees these
            video.rows.append(tasks.half(features(part)))
          else:
            free.append(video.pool)
            done[video.number] = _whole(part, video.rows)
      yield done.pop(number)
  finally:
    for pool in pools:
      pool.stop()
      pool.join()


def _first(task: tasks.Task) -> np.ndarray | tasks.Decoded:
  """The first frames of a video, which this process goes on with."""
  global _left
  _left = tasks.stream(task)
  return next(_left)


def _next(task: tasks.Task) -> np.ndarray | tasks.Decoded:
  """The frames after those, and last what is known of all."""
  del task  # known already; it names the video in an error
  return next(_left)


def _whole(
  part: tasks.Decoded | workers.Failure, rows: Sequence[np.ndarray]
) -> tasks.Decoded | workers.Failure:
  if isinstance(part, workers.Failure):
    return part
  return dataclasses.replace(part, stream=np.concatenate(rows))
