"""Groups of copies, as `nph-jax duplicates` finds them: that command, run.

In a process of its own, whose memory goes back to the system, and in which it
opens the files; nobody else waits for it.
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


class Duplicates:
  """Of the library that is served; the same is found once."""

  def __init__(self, index: Any, folder: pathlib.Path):
    """`index` is open in `folder`."""
    self._index, self._folder = index, folder
    self._lock = asyncio.Lock()
    self._found: tuple[Any, dict[str, Any]] | None = None

  @property
  def known(self) -> bool:
    """Whether `nph-jax add` made the index, so that features are kept."""
    return (self._folder / store.NAME).is_file()

  async def find(self, options: Sequence[str]) -> dict[str, Any]:
    """What the command prints with --json and these flags.

    Raises:
      Problem: status 422, the command says why not; 501, no library is served.
    """
    async with self._lock:  # whoever comes meanwhile gets the same
      wanted = await asyncio.to_thread(lambda: self._index.version), *options
      if self._found is None or self._found[0] != wanted:
        self._found = wanted, json.loads(await self._run('--json', *options))
      return self._found[1]

  async def reject(self, ids: Sequence[int]) -> None:
    """Remembers that no two of these are copies; raises as above."""
    async with self._lock:
      await self._run(f'--reject={",".join(map(str, ids))}')
      self._found = None

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
      if process.returncode is None:  # whoever asked has gone away
        process.kill()
    if process.returncode:
      raise problems.Problem(422, self._why(err.decode(errors='replace')))
    return out.decode()

  def _why(self, said: str) -> str:
    last = (said.strip().splitlines() or ['it ended'])[-1]
    text = last.removeprefix('error: ').replace(str(self._folder), 'the index')
    return text.removeprefix('--reject: ')
