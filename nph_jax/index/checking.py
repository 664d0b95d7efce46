"""What is in an index, whether it is as it was written, and copies of it."""

from __future__ import annotations

import contextlib
import os
import pathlib
from typing import Any

from nph_jax import atomic
from nph_jax.index import catalogue, database, errors, folder
from nph_jax.index import store as store_lib


def about(store: store_lib.Store, num_videos: int) -> dict[str, Any]:
  """What there is to say of an index, for people and programs."""
  settings, jobs = store.settings, store.jobs()
  files = (x for x in store.directory.iterdir() if x.is_file())
  return {
    'format': database.FORMAT,
    'videos': num_videos,
    'num_bits': settings.num_bits,
    'engine': settings.engine,
    'uri': settings.uri,
    'bundle': settings.bundle_digest,
    'keeps_relaxed': bool(settings.keep_relaxed),
    'metadata': sorted(store.names()),
    'removed_not_compacted': store.state().rows - num_videos,
    'bytes': sum(path.stat().st_size for path in files),
    'interrupted': {
      name: f'{done} of {total} videos'
      for name, (done, total) in jobs.items()
      if done < total
    },
  }


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
      store.changes(store_lib.EVERYTHING)
      catalogue.check(connection)


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
  path = directory / database.NAME
  with contextlib.closing(database.connect(path, 'ro')) as source:
    _copy(path, source, target)


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
  with contextlib.closing(database.connect(source, 'ro')) as backed_up:
    was_there = directory.exists()
    with folder.new(directory):
      _copy(source, backed_up, directory / database.NAME)
  try:
    verify(directory)
  except errors.UserError:
    folder.clear(directory, keep=was_there)
    raise


def _copy(path: pathlib.Path, source: Any, target: pathlib.Path) -> None:
  with atomic.replacing(target) as temporary:
    temporary.unlink(missing_ok=True)
    try:
      with database.opened(temporary, 'rwc') as copy, database.guarded(path):
        source.backup(copy)
        # One file, and a collection of its own: both would change it.
        copy.execute('PRAGMA journal_mode = DELETE')
        copy.execute("DELETE FROM engine WHERE name = 'milvus'")
    except errors.Unavailable as error:
      said = str(error).replace(os.fspath(temporary), os.fspath(target))
      raise errors.Unavailable(said) from error
