"""Results of an unfinished extraction: one SQLite file, a row a video.

What goes through the network together is one transaction, so that whatever
kills a run, its groups are wholly there or not at all.
"""

from __future__ import annotations

import contextlib
import json
import pathlib
import sqlite3
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from nph_jax import errors

# The key of the reason in the record of a video that was skipped.
ERROR = 'error'
_SCHEMA = """
CREATE TABLE IF NOT EXISTS stamp (json TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS videos (
  number INTEGER PRIMARY KEY, record TEXT NOT NULL, features BLOB
);
"""


class Partial:
  """The file of an unfinished extraction; a context manager.

  `videos` has a row for each video done, in order from 1: `record` is its line
  of the manifest, JSON; `features` [M, L] little-endian float16, NULL where it
  was skipped.

  Attributes:
    records: one dictionary for each video done, in order.
    row_shape: (M, L).
  """

  def __init__(
    self,
    path: pathlib.Path,
    stamp: Mapping[str, Any],
    row_shape: tuple[int, int],
  ):
    """Opens the file, or makes it.

    Args:
      path: of the file.
      stamp: all that the results depend on.
      row_shape: (M, L).

    Raises:
      UserError: another process writes there, the file was begun with another
        stamp, or it is damaged.
    """
    self._path, self._stamp, self.row_shape = path, stamp, row_shape
    if path.is_dir():
      raise self._damaged('is a folder, as older versions made it')
    with self._guarded(), contextlib.ExitStack() as stack:
      self._database = sqlite3.connect(path, timeout=0, isolation_level=None)
      stack.callback(self._database.close)
      # Held until closed, and given back by the system if this is killed.
      self._database.execute('PRAGMA locking_mode = EXCLUSIVE')
      self._database.execute('PRAGMA synchronous = FULL')
      self._database.execute('BEGIN EXCLUSIVE')
      for statement in _SCHEMA.split(';'):
        self._database.execute(statement)
      self._database.execute('COMMIT')
      self._check_stamp()
      self.records = self._read_records()
      self._closing = stack.pop_all()

  def __enter__(self) -> Partial:
    return self

  def __exit__(self, *_: object) -> None:
    self._closing.close()
    # A run that failed before its first result leaves nothing behind.
    if not self.records:
      remove(self._path)

  @property
  def num_rows(self) -> int:
    """The videos that have features."""
    return sum(ERROR not in record for record in self.records)

  def append(
    self, records: Sequence[Mapping[str, Any]], rows: np.ndarray
  ) -> None:
    """Adds one group; it is on the disk when this returns, or nothing of it.

    Args:
      records: of each of its videos, JSON.
      rows: float16 [those without ERROR, M, L].

    Raises:
      UserError: the disk is full.
    """
    left = iter(np.asarray(rows, '<f2'))
    values = [
      (json.dumps(record), None if ERROR in record else next(left).tobytes())
      for record in records
    ]
    with self._guarded(), self._database:
      self._database.execute('BEGIN')
      if not self.records:
        self._database.execute(
          'INSERT INTO stamp VALUES (?)', [json.dumps(self._stamp)]
        )
      self._database.executemany(
        'INSERT INTO videos (record, features) VALUES (?, ?)', values
      )
    self.records += records

  def rows(self) -> Iterator[np.ndarray]:
    """Yields the features [M, L] float16 of each video that has some.

    Raises:
      UserError: the file is damaged.
    """
    size = 2 * self.row_shape[0] * self.row_shape[1]
    with self._guarded():
      for (features,) in self._database.execute(
        'SELECT features FROM videos WHERE features NOT NULL ORDER BY number'
      ):
        if len(features) != size:
          raise self._damaged('is damaged')
        yield np.frombuffer(features, '<f2').reshape(self.row_shape)

  def _check_stamp(self) -> None:
    for (text,) in self._database.execute('SELECT json FROM stamp'):
      old = read_record(text)
      if old is None:
        raise self._damaged('is damaged')
      check_stamp(str(self._path), old, self._stamp)

  def _read_records(self) -> list[dict[str, Any]]:
    rows = self._database.execute(
      'SELECT record, features NOT NULL FROM videos ORDER BY number'
    )
    records = []
    for text, has_features in rows:
      record = read_record(text)
      if record is None or (ERROR in record) == bool(has_features):
        raise self._damaged('is damaged')
      records.append(record)
    return records

  def _damaged(self, what: str) -> errors.UserError:
    return errors.UserError(f'{self._path}: {what}; delete it to begin anew.')

  @contextlib.contextmanager
  def _guarded(self) -> Iterator[None]:
    """Turns what SQLite raises into a UserError that says what to do."""
    try:
      yield
    except sqlite3.Error as error:
      name = getattr(error, 'sqlite_errorname', '')
      if name.startswith('SQLITE_BUSY'):
        raise errors.UserError(
          f'{self._path}: another process is writing this extraction; wait for '
          'it, or give another --out.'
        ) from error
      if name.startswith(('SQLITE_CORRUPT', 'SQLITE_NOTADB', 'SQLITE_ERROR')):
        raise self._damaged('is damaged') from error
      raise errors.UserError(
        f'{self._path}: cannot be read or written ({error}); free some space '
        'or change its permissions, and run the same command again.'
      ) from error


def read_record(line: str | bytes) -> dict[str, Any] | None:
  """The JSON object in `line`, None where there is no such thing."""
  try:
    record = json.loads(line)
  except (TypeError, ValueError, RecursionError):
    return None
  return record if isinstance(record, dict) else None


def check_stamp(
  place: str, old: Mapping[str, Any], new: Mapping[str, Any]
) -> None:
  """Raises a UserError that names the first difference of two stamps."""
  for name in new:
    if old.get(name) == new[name]:
      continue
    what = (
      f'--{name} was {old.get(name)} and is {new[name]} now'
      if isinstance(new[name], (str, int))
      else f'the {name} are other files now, or changed since'
    )
    raise errors.UserError(
      f'{place}: was begun with other flags or files: {what}; undo that, give '
      'another --out, or delete it to begin anew.'
    )


def remove(path: pathlib.Path) -> None:
  """Deletes a store, if there is one."""
  # The journal first: left alone, it would be taken for that of a new file.
  path.with_name(f'{path.name}-journal').unlink(missing_ok=True)
  path.unlink(missing_ok=True)
