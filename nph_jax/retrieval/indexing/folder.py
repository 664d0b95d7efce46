"""The folder of an index: made, opened, held by one writer at a time."""

from __future__ import annotations

import contextlib
import dataclasses
import os
import pathlib
from collections.abc import Iterator

from nph_jax import atomic, errors
from nph_jax.retrieval.indexing import database, records

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
    UserError: something is there already, or `directory` cannot be written.
  """
  _check_free(directory)
  with _writing(directory):
    directory.mkdir(parents=True, exist_ok=True)
  lock = hold(directory)
  try:
    _check_free(directory)
    path = directory / database.NAME
    path.unlink(missing_ok=True)  # of a creation that was killed
    values = {**dataclasses.asdict(settings), 'generation': 0, 'next_id': 0}
    database.create(path, values, job)
  finally:
    os.close(lock)


def is_index(directory: pathlib.Path) -> bool:
  """Whether an index, of whatever format, was made in `directory`."""
  path = directory / database.NAME
  return path.is_file() and path.stat().st_size > 0 and _version(path) > 0


def clear(directory: pathlib.Path, keep: bool) -> None:
  """Takes back `create`; `keep` leaves the empty folder."""
  for path in directory.iterdir():
    path.unlink()
  if not keep:
    directory.rmdir()


def hold(directory: pathlib.Path) -> int:
  """Takes the lock of the one writer; a file descriptor to be closed.

  Raises:
    UserError: another program has it, or the folder cannot be written.
  """
  with _writing(directory):
    lock = atomic.lock(directory / _LOCK)
  if lock is None:
    raise errors.UserError(
      f'{directory}: is open for writing in another program; end that one '
      'first, or open the index for reading only.'
    )
  return lock


def _check_free(directory: pathlib.Path) -> None:
  if directory.exists() and not directory.is_dir():
    raise errors.UserError(f'{directory}: is a file; give another folder.')
  if is_index(directory):
    raise errors.UserError(
      f'{directory}: an index is there already; add to it with '
      '`python -m nph_jax.index add`, or give another folder.'
    )
  own = (_LOCK, database.NAME)
  others = [
    path.name
    for path in (directory.iterdir() if directory.is_dir() else ())
    if not path.name.startswith(own)
  ]
  if others:
    raise errors.UserError(
      f'{directory}: holds other files ({others[0]}); give a new folder.'
    )


def _version(path: pathlib.Path) -> int:
  with database.opened(path, 'ro') as connection:
    return database.version(connection)


@contextlib.contextmanager
def _writing(directory: pathlib.Path) -> Iterator[None]:
  try:
    with errors.writing(directory):
      yield
  except OSError as error:
    raise errors.UserError(
      f'{directory}: cannot be written ({error.strerror}); give a folder that '
      'you may write to.'
    ) from error
