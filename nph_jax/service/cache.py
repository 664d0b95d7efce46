"""What was made of videos, on the disk: within a size, the oldest goes first.

Anything here can be made again, by this service or another that shares the
folder; so nothing is synced, and what has gone is no failure.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import pathlib
import tempfile
import time
from collections.abc import Iterator
from typing import BinaryIO

from nph_jax import errors

_ROOM = 0.9  # of the size, that is left full when something had to go
_STALE_SECONDS = 24 * 3600  # after which nobody writes a partial file any more


class Cache:
  """Files by the video that they were made of, and by what they are."""

  def __init__(self, folder: pathlib.Path, max_bytes: int):
    """Makes the folder, for nobody else to read.

    Raises:
      OSError: it cannot be made.
    """
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    self.max_bytes = max_bytes
    self._folder = folder
    self._bytes = sum(size for _, size, _ in self._files())

  def place(self, video: pathlib.Path, what: str) -> pathlib.Path:
    """Where a file is or would be.

    Args:
      video: of which it is made; one that has changed is another.
      what: the end of its name, as in 'preview.webp'.

    Raises:
      OSError: the video is not there.
    """
    return self._folder / f'{_digest(video)}.{what}'

  def has(self, place: pathlib.Path) -> bool:
    """Whether it is here; whoever asks wants to use it."""
    try:
      os.utime(place)
    except OSError:
      return False
    return True

  @contextlib.contextmanager
  def writing(self, place: pathlib.Path) -> Iterator[BinaryIO]:
    """Yields a file that is in its place once it is whole.

    Raises:
      UserError: the disk is full.
    """
    with errors.writing('The folder of pictures and converted videos'):
      descriptor, name = tempfile.mkstemp(prefix='.', dir=self._folder)
      try:
        with open(descriptor, 'wb') as file:
          yield file
        self._bytes += os.path.getsize(name)
        os.replace(name, place)
      finally:
        pathlib.Path(name).unlink(missing_ok=True)
    if self._bytes > self.max_bytes:
      self._shrink()

  def drop(self, video: pathlib.Path) -> None:
    """Deletes all that was made of a video."""
    with contextlib.suppress(OSError):
      for path in self._folder.glob(f'{_digest(video)}.*'):
        path.unlink(missing_ok=True)

  def _files(self) -> list[tuple[float, int, pathlib.Path]]:
    """Time of the last use, size and path of each; oldest first."""
    found = []
    for entry in os.scandir(self._folder):
      with contextlib.suppress(OSError):
        about = entry.stat()
        found.append((about.st_mtime, about.st_size, pathlib.Path(entry.path)))
    return sorted(found)

  def _shrink(self) -> None:
    files, now = self._files(), time.time()
    left = sum(size for _, size, _ in files)
    for used, size, path in files:
      partial = path.name.startswith('.')
      if partial and now - used < _STALE_SECONDS:
        continue
      if partial or left > _ROOM * self.max_bytes:
        path.unlink(missing_ok=True)
        left -= size
    self._bytes = left


def _digest(video: pathlib.Path) -> str:
  about = video.stat()
  known = repr((str(video.resolve()), about.st_size, about.st_mtime_ns))
  digest = hashlib.blake2b(known.encode(errors='surrogateescape'))
  return digest.hexdigest()[:32]
