"""The folder of an index: made, copied, held by one writer at a time."""

from __future__ import annotations

import contextlib
import os
import pathlib
from collections.abc import Iterator

from nph_jax import atomic
from nph_jax.errors import UserError
from nph_jax.index import catalogue, database, errors, records, segments
from nph_jax.index import store as store_lib


def create(
  directory: pathlib.Path,
  settings: records.Settings,
  job: tuple[str, int, int] | None,
) -> None:
  """Makes an empty index in a new or empty folder.

  Args:
    directory, settings: of the index.
    job: as Store.add has it, of the videos that are to follow.

  Raises:
    InvalidRequest: something is there already, or it cannot be written.
  """
  with _new(directory) as path:
    values = {**settings._asdict(), 'generation': 0, 'next_id': 0}
    database.create(path, values, job)


def is_index(directory: pathlib.Path) -> bool:
  """Whether an index, of whatever format, is in `directory`."""
  return (directory / database.NAME).is_file()


def clear(directory: pathlib.Path, keep: bool) -> None:
  """Takes back what was made; `keep` leaves the empty folder."""
  for path in directory.iterdir():
    path.unlink()
  if not keep:
    directory.rmdir()


def verify(directory: pathlib.Path) -> None:
  """Reads everything, of one moment, beside whoever else reads or writes.

  Raises:
    Damaged: anything is not as it was written.
  """
  with contextlib.closing(store_lib.Store(directory, read_only=True)) as store:
    with store.reading() as connection:
      problem = connection.execute('PRAGMA integrity_check').fetchone()[0]
      if problem != 'ok':
        raise errors.damaged(store.path, f'is damaged ({problem})')
      store.changes(records.State())
      catalogue.check(connection)
      segments.read(connection, store.settings.num_bits)


def backup(directory: pathlib.Path, target: pathlib.Path) -> None:
  """Copies an index, whoever writes to it meanwhile, into one file.

  Raises:
    InvalidRequest: something is at `target` already.
    Unavailable: it cannot be written.
  """
  if target.exists():
    raise errors.InvalidRequest(
      f'{target}: is there already; give a new name for the backup.'
    )
  with store_lib.making(target), atomic.replacing(target) as temporary:
    _copy(directory / database.NAME, temporary, target)


def restore(source: pathlib.Path, directory: pathlib.Path) -> None:
  """Makes an index of a backup, in a new or empty folder, and checks it.

  Raises:
    InvalidRequest: there is no backup, or something is in the folder.
    Damaged: the backup is not as it was written.
  """
  if not source.is_file():
    raise errors.InvalidRequest(
      f'{source}: is no file; give one that `python -m nph_jax.index backup` '
      'wrote.'
    )
  was_there = directory.exists()
  with _new(directory) as path:
    _copy(source, path, path)
  try:
    verify(directory)
  except UserError:
    clear(directory, keep=was_there)
    raise


def _copy(
  source: pathlib.Path, temporary: pathlib.Path, target: pathlib.Path
) -> None:
  temporary.unlink(missing_ok=True)
  with contextlib.closing(database.connect(source, 'ro')) as connection:
    with database.guarded(target):
      copy = database.open_file(temporary, 'rwc')
    either = pathlib.Path(f'{source} to {target}')  # SQLite does not say which
    with contextlib.closing(copy), database.guarded(either):
      connection.backup(copy)
      # One file, and a collection of its own: both would change it.
      copy.execute('PRAGMA journal_mode = DELETE')
      copy.execute("DELETE FROM settings WHERE name = 'milvus'")


@contextlib.contextmanager
def _new(directory: pathlib.Path) -> Iterator[pathlib.Path]:
  """Yields where to write an index, which is then moved into the folder."""
  _check_free(directory)
  was_there = directory.exists()
  with store_lib.making(directory):
    directory.mkdir(parents=True, exist_ok=True)
  lock = store_lib.hold(directory)
  try:
    _check_free(directory)
    try:
      with atomic.replacing(directory / database.NAME) as path:
        path.unlink(missing_ok=True)  # of a creation that was killed
        yield path
    except BaseException:
      clear(directory, keep=was_there)
      raise
  finally:
    lock.release()


def _check_free(directory: pathlib.Path) -> None:
  if directory.exists() and not directory.is_dir():
    raise errors.InvalidRequest(f'{directory}: is a file; give another folder.')
  if is_index(directory):
    raise errors.InvalidRequest(
      f'{directory}: an index is there already; add to it with '
      '`python -m nph_jax.index add`, or give another folder.'
    )
  there = os.listdir(directory) if directory.exists() else []
  others = set(there) - {store_lib.LOCK, '.index.partial.sqlite'}
  if others:
    raise errors.InvalidRequest(
      f'{directory}: holds other files ({min(others)}); give a new folder.'
    )
