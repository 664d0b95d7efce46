"""Files that are wholly there or not at all, and the lock of one writer."""

from __future__ import annotations

import contextlib
import errno
import json
import os
import pathlib
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from nph_jax import errors

if TYPE_CHECKING:
  import filelock


@contextlib.contextmanager
def replacing(path: str | os.PathLike[str]) -> Iterator[pathlib.Path]:
  """Yields a temporary path beside `path`, moved onto it when all went well.

  Raises:
    UserError: the disk is full; neither `path` nor the temporary changes.
  """
  path = pathlib.Path(path)
  # Always the same name: what a killed process left, the next one replaces.
  temporary = path.parent / f'.{path.stem}.partial{path.suffix}'
  try:
    with errors.writing(path):
      path.parent.mkdir(parents=True, exist_ok=True)
      yield temporary
      with open(temporary, 'rb+') as file:
        os.fsync(file.fileno())
    os.replace(temporary, path)
    sync_folder(path.parent)
  finally:
    temporary.unlink(missing_ok=True)


def sync_folder(folder: str | os.PathLike[str]) -> None:
  """Makes the names of new and moved files in `folder` durable.

  Windows does so by itself, and some network folders cannot.
  """
  if os.name != 'posix':
    return
  descriptor = os.open(folder, os.O_RDONLY)
  try:
    os.fsync(descriptor)
  except OSError as error:
    if error.errno not in (errno.EINVAL, errno.ENOTSUP):
      raise
  finally:
    os.close(descriptor)


def write_bytes(path: str | os.PathLike[str], content: bytes) -> None:
  """Writes `content` to `path` atomically."""
  with replacing(path) as temporary:
    temporary.write_bytes(content)


def write_text(path: str | os.PathLike[str], text: str) -> None:
  """Writes `text` to `path` atomically, in UTF-8."""
  write_bytes(path, text.encode())


def write_json(path: str | os.PathLike[str], value: Any) -> None:
  """Writes `value` to `path` atomically, as indented JSON."""
  write_text(path, json.dumps(value, indent=2) + '\n')


def lock(
  path: str | os.PathLike[str], wait: bool = False
) -> filelock.BaseFileLock | None:
  """Takes the lock that the file `path`, made if need be, stands for.

  The system gives it back when the process ends, however it ends.

  Args:
    path: of a file in a folder that is there.
    wait: until it is free.

  Returns:
    The lock, whose `release` gives it back; None where somebody else has it.

  Raises:
    OSError: the file cannot be made or locked.
  """
  import filelock  # here: --help needs none

  # Whoever closes what it guards may be another thread.
  taken = filelock.FileLock(path, thread_local=False)
  try:
    taken.acquire(blocking=wait)
  except filelock.Timeout:
    return None
  return taken
