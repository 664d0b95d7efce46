"""Where the content of a body goes: into memory, or a video onto the disk."""

from __future__ import annotations

import logging
import pathlib
import secrets
from collections.abc import Callable

from fastapi import concurrency

from nph_jax import errors
from nph_jax.service import containers, problems

_LOG = logging.getLogger('uvicorn.error')
_BLOCK = 1 << 20  # written at once


class Memory:
  """Content of at most `limit` bytes.

  Attributes:
    content: what has come.
  """

  def __init__(self, limit: int, take: Callable[[int], None]):
    """`take` is told of bytes before they are kept; see limits.Memory."""
    self.content = bytearray()
    self._limit, self._take = limit, take

  def write(self, content: bytes) -> None:
    """Raises a Problem, status 413 or what `take` raises, if it is too much."""
    if len(self.content) + len(content) > self._limit:
      raise problems.Problem(
        413,
        f'The body is longer than the {self._limit:,} bytes that it can have '
        'here.',
      )
    self._take(len(content))
    self.content += content

  def end(self) -> None:
    pass


class Video:
  """A video, written once, to where it stays until the request ends.

  Attributes:
    path: its file, which `remove` deletes; None before its first bytes.
    suffix: of its container.
  """

  def __init__(self, folder: pathlib.Path):
    self.path: pathlib.Path | None = None
    self.suffix = ''
    self._folder = folder
    self._waiting = bytearray()

  def write(self, content: bytes) -> None:
    """Raises a Problem, status 415, once it is known to be no video."""
    self._waiting += content
    if self.path is None and len(self._waiting) >= containers.HEAD_BYTES:
      self._begin()

  def end(self) -> None:
    """Raises a Problem, status 415, if all of it is no video."""
    if self.path is None:
      self._begin()

  def _begin(self) -> None:
    head = bytes(self._waiting[: containers.HEAD_BYTES])
    self.suffix = containers.suffix_of(head)
    self.path = self._folder / f'{secrets.token_hex(16)}{self.suffix}'

  async def flush(self, least: int = _BLOCK) -> None:
    """Writes what has come if it is `least` bytes.

    Raises:
      Problem: status 503, the disk is full.
    """
    if self.path is None or len(self._waiting) < least:
      return
    try:
      await concurrency.run_in_threadpool(self._append, self.path)
    except errors.UserError as error:
      _LOG.error('%s', error)
      raise problems.Problem(
        503,
        'The service has no space left on its disk for this upload; send a '
        'smaller file, or try again later.',
        {'Retry-After': '60'},
      ) from error

  def _append(self, path: pathlib.Path) -> None:
    with errors.writing(self._folder), open(path, 'ab') as file:
      file.write(self._waiting)
    self._waiting.clear()

  def remove(self) -> None:
    if self.path is not None:
      self.path.unlink(missing_ok=True)
