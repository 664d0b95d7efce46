"""Callers that wait at the same time are served by one call."""

from __future__ import annotations

import asyncio
import concurrent.futures
import contextlib
import sys
from collections.abc import Callable, Sequence
from typing import Any


class Batcher:
  """Collects what callers submit and hands it on, many at a time.

  Whoever comes while a batch runs is in the next one, so that the busier the
  service is, the larger its batches are.

  Attributes:
    waiting: items that no call has begun with.
  """

  def __init__(
    self,
    run: Callable[[Sequence[Any]], Sequence[Any]],
    *,
    max_batch: int,
    max_wait: float,
    observe: Callable[[int], None] = lambda size: None,
    coming: Callable[[], int] = lambda: sys.maxsize,
  ):
    """Args as follows.

    Args:
      run: from items to as many results, an exception for an item that has
        none; called in one thread, one call at a time.
      max_batch: items of a call.
      max_wait: seconds that an item waits for others to join it.
      observe: told the size of each batch.
      coming: callers at most that wait or may come to; whoever is alone does
        not wait for others.
    """
    self._run = run
    self._max_batch = max_batch
    self._max_wait = max_wait
    self._observe = observe
    self._coming = coming
    self._queue: asyncio.Queue = asyncio.Queue()
    self._thread = concurrent.futures.ThreadPoolExecutor(1, 'batcher')
    self._task: asyncio.Task | None = None

  @property
  def waiting(self) -> int:
    return self._queue.qsize()

  async def __aenter__(self) -> Batcher:
    self._task = asyncio.create_task(self._serve())
    return self

  async def __aexit__(self, *_: object) -> None:
    assert self._task is not None
    self._task.cancel()
    with contextlib.suppress(asyncio.CancelledError):
      await self._task
    self._thread.shutdown()

  async def submit(self, item: Any) -> Any:
    """The result of `item`; raises what its result is where that is raised."""
    future = asyncio.get_running_loop().create_future()
    self._queue.put_nowait((item, future))
    return await future

  async def _serve(self) -> None:
    loop = asyncio.get_running_loop()
    while True:
      batch = await self._collect()
      self._observe(len(batch))
      items = [item for item, _ in batch]
      try:
        results = await loop.run_in_executor(self._thread, self._run, items)
      except Exception as error:
        results = [error] * len(batch)
      for (_, future), result in zip(batch, results, strict=True):
        _settle(future, result)

  async def _collect(self) -> list[tuple[Any, asyncio.Future]]:
    """At least one item, and those that come until there are enough."""
    batch = [await self._queue.get()]
    deadline = asyncio.get_running_loop().time() + self._max_wait
    with contextlib.suppress(TimeoutError):
      async with asyncio.timeout_at(deadline):
        while len(batch) < min(self._max_batch, self._coming()):
          batch.append(await self._queue.get())
    # What came in the meantime has its place without waiting.
    while len(batch) < self._max_batch and not self._queue.empty():
      batch.append(self._queue.get_nowait())
    return batch


def _settle(future: asyncio.Future, result: Any) -> None:
  if future.done():  # its caller went away
    return
  if isinstance(result, Exception):
    future.set_exception(result)
  else:
    future.set_result(result)
