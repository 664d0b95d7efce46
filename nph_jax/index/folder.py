"""The folder of an index: made, opened, held by one writer at a time."""

from __future__ import annotations

import contextlib
import dataclasses
import pathlib
from collections.abc import Iterator
from typing import TYPE_CHECKING

from nph_jax import atomic
from nph_jax.errors import writing
from nph_jax.index import database, errors, records

if TYPE_CHECKING:
  import filelock

_LOCK = 'lock'


def create(
  directory: pathlib.Path,
  settings: records.Settings,
  job: tuple[str, int, int] | None,
) -> None:
  """Makes an empty index.

  Args:
    directory: new or empty.
    settings: what it is.
    job: as Store.add has it, of the videos that are to follow.

  Raises:
    InvalidRequest: something is there already, or `directory` cannot be
      written.
  """
  with new(directory):
    path = directory / database.NAME
    path.unlink(missing_ok=True)  # of a creation that was killed
    values = {**dataclasses.asdict(settings), 'generation': 0, 'next_id': 0}
    database.create(path, values, job)


@contextlib.contextmanager
def new(directory: pathlib.Path) -> Iterator[None]:
  """Makes a folder that is to hold an index, and holds its lock meanwhile."""
  _check_free(directory)
  with _writing(directory):
    directory.mkdir(parents=True, exist_ok=True)
  lock = hold(directory)
  try:
    _check_free(directory)
    yield
  finally:
    lock.release()


def is_index(directory: pathlib.Path) -> bool:
  """Whether an index, of whatever format, was made in `directory`."""
  path = directory / database.NAME
  if not path.is_file() or not path.stat().st_size:
    return False
  with database.opened(path, 'ro') as connection:
    return database.version(connection) > 0


def clear(directory: pathlib.Path, keep: bool) -> None:
  """Takes back `create`; `keep` leaves the empty folder."""
  for path in directory.iterdir():
    path.unlink()
  if not keep:
    directory.rmdir()


def hold(directory: pathlib.Path) -> filelock.BaseFileLock:
  """Takes the lock of the one writer; its `release` gives it back.

  Raises:
    Unavailable: another program has it.
    InvalidRequest: the folder cannot be written.
  """
  with _writing(directory):
    lock = atomic.lock(directory / _LOCK)
  if lock is None:
    raise errors.Unavailable(
      f'{directory}: is open for writing in another program; end that one '
      'first, or open the index for reading only.'
    )
  return lock


def _check_free(directory: pathlib.Path) -> None:
  if directory.exists() and not directory.is_dir():
    raise errors.InvalidRequest(f'{directory}: is a file; give another folder.')
  if is_index(directory):
    raise errors.InvalidRequest(
      f'{directory}: an index is there already; add to it with '
      '`python -m nph_jax.index add`, or give another folder.'
    )
  own = (_LOCK, database.NAME, '.index.partial')
  others = [
    path.name
    for path in (directory.iterdir() if directory.is_dir() else ())
    if not path.name.startswith(own)
  ]
  if others:
    raise errors.InvalidRequest(
      f'{directory}: holds other files ({others[0]}); give a new folder.'
    )


@contextlib.contextmanager
def _writing(directory: pathlib.Path) -> Iterator[None]:
  try:
    with writing(directory):
      yield
  except OSError as error:
    raise errors.InvalidRequest(
      f'{directory}: cannot be written ({error.strerror}); give a folder that '
      'you may write to.'
    ) from error
