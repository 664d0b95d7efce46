"""Append-only files of equally long rows, read through a memory map."""

from __future__ import annotations

import hashlib
import os
import pathlib

import numpy as np

from nph_jax import atomic, errors


class RowFile:
  """Rows of `width` values; how many of them count is not the file's to say.

  A batch is written behind the rows that count and synced to disk before it
  counts, so that rows of a killed process are merely overwritten.
  """

  def __init__(self, path: pathlib.Path, dtype: str, width: int):
    self.path = path
    self._dtype = np.dtype(dtype)
    self._width = width

  @property
  def _row_bytes(self) -> int:
    return self._dtype.itemsize * self._width

  def write(self, start: int, rows: np.ndarray) -> str:
    """Makes `rows` [n, width] the rows from `start` on; returns their digest.

    Durable on return.

    Raises:
      UserError: the disk is full, or the file is shorter than `start` rows.
    """
    content = np.ascontiguousarray(rows, self._dtype).tobytes()
    is_new = not self.path.exists()
    mode = 'wb' if is_new else 'rb+'
    with errors.writing(self.path), open(self.path, mode) as file:
      if file.seek(0, os.SEEK_END) < start * self._row_bytes:
        raise damaged(self.path)
      file.seek(start * self._row_bytes)
      file.truncate()
      file.write(content)
      file.flush()
      os.fsync(file.fileno())
      if is_new:
        atomic.sync_folder(self.path.parent)
    return digest(content)

  def read(self, count: int) -> np.ndarray:
    """The first `count` rows [count, width], of which none is loaded yet.

    Raises:
      UserError: the file is missing or shorter.
    """
    if not count:
      return np.empty((0, self._width), self._dtype)
    try:
      return np.memmap(self.path, self._dtype, 'r', shape=(count, self._width))
    except (OSError, ValueError) as error:
      raise damaged(self.path) from error


def digest(content: bytes | np.ndarray) -> str:
  """What tells whether rows are still as they were written."""
  return hashlib.blake2b(content, digest_size=8).hexdigest()


def damaged(path: pathlib.Path) -> errors.UserError:
  return errors.UserError(
    f'{path}: is missing, shortened or otherwise not as it was written; copy '
    'the folder again from a backup, or build the index anew.'
  )
