"""Groups of copies, as `nph-jax duplicates` finds them: that command, run.

In a process of its own, whose memory goes back to the system; nobody waits for
it, and it opens no video.
"""

from __future__ import annotations

import asyncio
import json
import os
import pathlib
import sys
from collections.abc import Sequence
from typing import Any

from nph_jax.library import store
from nph_jax.service import problems

_COMMAND = (sys.executable, '-m', 'nph_jax', 'duplicates')
_SECONDS = 2.0  # that an answer takes at most
_KEPT = 4  # of what was found


class Duplicates:
  """Of the library that is served: looked for once, one search at a time."""

  def __init__(self, index: Any, folder: pathlib.Path):
    """`index` is open in `folder`."""
    self._index, self._folder = index, folder
    # By the index' version and the flags; done but for the last.
    self._tasks: dict[Any, asyncio.Task[dict[str, Any]]] = {}

  @property
  def known(self) -> bool:
    """Whether `nph-jax add` made the index, so that features are kept."""
    return (self._folder / store.NAME).is_file()

  async def find(self, options: Sequence[str]) -> dict[str, Any] | None:
    """What the command prints with --json and these flags; None for not yet.

    Raises:
      Problem: status 422, the command says why not; 501, no library is served.
    """
    wanted = await asyncio.to_thread(lambda: self._index.version), *options
    task = self._tasks.get(wanted)
    if task is None:
      for other in self._tasks.values():
        if not other.done():
          await asyncio.wait([other], timeout=_SECONDS)
          return None
      task = asyncio.create_task(self._find(options))
      self._tasks[wanted] = task
      while len(self._tasks) > _KEPT:
        del self._tasks[next(iter(self._tasks))]
    await asyncio.wait([task], timeout=_SECONDS)
    if not task.done() or task.cancelled():
      return None
    if task.exception():  # the next one who asks tries again
      self._tasks.pop(wanted, None)
    return task.result()

  async def reject(self, ids: Sequence[int]) -> None:
    """Remembers that no two of these are copies; raises as above."""
    await self._run(f'--reject={",".join(map(str, ids))}')
    for task in self._tasks.values():
      task.cancel()
    self._tasks.clear()

  async def _find(self, options: Sequence[str]) -> dict[str, Any]:
    return json.loads(await self._run('--json', *options))

  async def _run(self, *flags: str) -> str:
    if not self.known:
      raise problems.Problem(
        501,
        'Copies are looked for among the videos of `nph-jax add`, and this '
        'index was made otherwise.',
      )
    process = await asyncio.create_subprocess_exec(
      *_COMMAND,
      f'--index={self._folder}',
      *flags,
      stdin=asyncio.subprocess.DEVNULL,
      stdout=asyncio.subprocess.PIPE,
      stderr=asyncio.subprocess.PIPE,
      env={**os.environ, 'JAX_PLATFORMS': 'cpu'},
    )
    try:
      out, err = await process.communicate()
    finally:
      if process.returncode is None:  # cancelled
        process.kill()
    if process.returncode:
      raise problems.Problem(422, self._why(err.decode(errors='replace')))
    return out.decode()

  def _why(self, said: str) -> str:
    last = (said.strip().splitlines() or ['it ended'])[-1]
    text = last.removeprefix('error: ').replace(str(self._folder), 'the index')
    return text.removeprefix('--reject: ')
