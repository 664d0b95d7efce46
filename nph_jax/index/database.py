"""The SQLite file of an index: made, opened, and what it says turned around.

It keeps a write-ahead log, synced at each commit (synchronous = FULL): with it
readers see a whole state and neither wait for the writer nor it for them; a
rollback journal would lock each of them out for the time of the other.
"""

from __future__ import annotations

import contextlib
import os
import pathlib
import sqlite3
import urllib.parse
from collections.abc import Iterator, Mapping
from typing import Any

from nph_jax.index import errors

NAME = 'index.sqlite'
FORMAT = 2
_SCHEMA = """
CREATE TABLE settings (name TEXT PRIMARY KEY, value) WITHOUT ROWID;
CREATE TABLE batches (
  start INTEGER PRIMARY KEY, count INTEGER NOT NULL, digest BLOB NOT NULL,
  ids BLOB NOT NULL, codes BLOB NOT NULL, lists BLOB NOT NULL
);
CREATE TABLE removed (
  number INTEGER PRIMARY KEY AUTOINCREMENT, id INTEGER NOT NULL,
  before INTEGER NOT NULL
);
CREATE TABLE videos (
  id INTEGER PRIMARY KEY, crc INTEGER NOT NULL, content INTEGER, relaxed BLOB,
  metadata TEXT
);
CREATE INDEX contents ON videos (content) WHERE content IS NOT NULL;
CREATE TABLE names (name TEXT PRIMARY KEY) WITHOUT ROWID;
CREATE TABLE facets (
  hash INTEGER, id INTEGER, PRIMARY KEY (hash, id)
) WITHOUT ROWID;
CREATE TABLE jobs (
  name TEXT PRIMARY KEY, done INTEGER NOT NULL, total INTEGER NOT NULL
) WITHOUT ROWID;
CREATE TABLE engine (name TEXT PRIMARY KEY, value) WITHOUT ROWID;
"""


def connect(path: pathlib.Path, mode: str) -> sqlite3.Connection:
  """Opens the file, which has to be there; no transaction is begun.

  Raises:
    InvalidRequest: it is missing.
    Damaged: it is damaged, no index, or of another format.
    Unavailable: it cannot be opened now.
  """
  if not path.is_file():
    raise errors.InvalidRequest(
      f'{path}: is missing; give a folder that `python -m nph_jax.index build` '
      'made.'
    )
  with guarded(path):
    connection = _open(path, mode)
    try:
      _check_format(path, version(connection))
      if mode == 'rw':
        connection.execute('PRAGMA journal_mode = WAL')
        connection.execute('PRAGMA journal_size_limit = 67108864')
    except BaseException:
      connection.close()
      raise
  return connection


def create(
  path: pathlib.Path,
  settings: Mapping[str, Any],
  job: tuple[str, int, int] | None,
) -> None:
  """Makes the file with its tables and settings, all of it or nothing."""
  with opened(path, 'rwc') as connection:
    connection.execute('PRAGMA auto_vacuum = INCREMENTAL')
    connection.execute('PRAGMA journal_mode = WAL')
    with transaction(path, connection):
      for statement in filter(str.strip, _SCHEMA.split(';\n')):
        connection.execute(statement)
      connection.executemany(
        'INSERT INTO settings VALUES (?, ?)', settings.items()
      )
      if job is not None:
        set_job(connection, *job)
      connection.execute(f'PRAGMA user_version = {FORMAT}')


def set_job(
  connection: sqlite3.Connection, name: str, done: int, total: int
) -> None:
  """Notes how far a long addition is, or that it is done."""
  connection.execute(
    'INSERT OR REPLACE INTO jobs VALUES (?, ?, ?)', [name, done, total]
  )


@contextlib.contextmanager
def opened(path: pathlib.Path, mode: str) -> Iterator[sqlite3.Connection]:
  """A connection in SQLite's `mode` that is closed again."""
  with guarded(path), contextlib.closing(_open(path, mode)) as connection:
    yield connection


def version(connection: sqlite3.Connection) -> int:
  """The format, 0 where no table was ever made."""
  return connection.execute('PRAGMA user_version').fetchone()[0]


@contextlib.contextmanager
def transaction(
  path: pathlib.Path, connection: sqlite3.Connection, kind: str = 'IMMEDIATE'
) -> Iterator[sqlite3.Connection]:
  """All that is executed inside or nothing; durable on return.

  Of the kind 'DEFERRED', all that is read inside is of one moment.
  """
  with guarded(path):
    connection.execute(f'BEGIN {kind}')
    try:
      yield connection
      connection.execute('COMMIT')
    except BaseException:
      if connection.in_transaction:
        connection.execute('ROLLBACK')
      raise


@contextlib.contextmanager
def guarded(path: pathlib.Path) -> Iterator[None]:
  """Turns what SQLite says into an error for people."""
  try:
    yield
  except sqlite3.ProgrammingError as error:
    if 'closed' not in str(error):
      raise
    raise errors.Unavailable(
      f'{path.parent}: this index is closed; open it again.'
    ) from error
  except sqlite3.DatabaseError as error:
    raise _translated(path, error) from error


def _translated(
  path: pathlib.Path, error: sqlite3.DatabaseError
) -> errors.UserError:
  code = getattr(error, 'sqlite_errorcode', sqlite3.SQLITE_CORRUPT)
  why = {
    sqlite3.SQLITE_FULL: 'the disk is full; free some space and run the same '
    'command again',
    sqlite3.SQLITE_IOERR: f'the disk did not read or write ({error}); see to '
    'its space, to limits of file sizes and to its health, and try again',
    sqlite3.SQLITE_NOMEM: 'there is not enough memory; free some',
  }
  busy = 'is busy in another program; try again when that is done'
  why |= dict.fromkeys(
    (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED, sqlite3.SQLITE_PROTOCOL), busy
  )
  denied = f'cannot be opened or written ({error}); check who may write to it'
  why |= dict.fromkeys(
    (sqlite3.SQLITE_READONLY, sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_PERM),
    denied,
  )
  # Of the read errors those that mean other content than was written.
  if code & 0xFF in why and code != sqlite3.SQLITE_IOERR_CORRUPTFS:
    return errors.Unavailable(f'{path}: {why[code & 0xFF]}.')
  return errors.damaged(path, f'is damaged or no index ({error})')


def _open(path: pathlib.Path, mode: str) -> sqlite3.Connection:
  if mode == 'ro' and _is_still(path) and not _opens(path):
    # On a read-only disk SQLite cannot make the files that it shares. Not
    # otherwise: so opened, it does not see what another user's writer adds.
    mode = 'ro&immutable=1'
  connection = _connect(path, mode)
  try:
    # Durable at COMMIT, not only consistent.
    connection.execute('PRAGMA synchronous = FULL')
    connection.execute('PRAGMA cache_size = -16384')
  except BaseException:
    connection.close()
    raise
  return connection


def _opens(path: pathlib.Path) -> bool:
  with contextlib.closing(_connect(path, 'ro')) as connection:
    try:
      version(connection)
    except sqlite3.OperationalError:
      return False
  return True


def _connect(path: pathlib.Path, mode: str) -> sqlite3.Connection:
  address = f'file:{urllib.parse.quote(os.fspath(path))}?mode={mode}'
  return sqlite3.connect(
    address, uri=True, timeout=30, isolation_level=None,
    check_same_thread=False,
  )  # fmt: skip


def _check_format(path: pathlib.Path, found: int) -> None:
  if found > FORMAT:
    raise errors.Damaged(
      f'{path}: has format {found}, newer than this version of nph_jax reads '
      f'({FORMAT}); update nph_jax.'
    )
  if found < 1:
    raise errors.Damaged(
      f'{path}: is no index, or its creation was interrupted; remove the '
      'folder and build the index anew.'
    )
  if found < FORMAT:
    raise errors.Damaged(
      f'{path}: is of an older version of nph_jax (format {found}, not '
      f'{FORMAT}); build the index anew, from the same features, into a new '
      'folder with `python -m nph_jax.index build`.'
    )


def _is_still(path: pathlib.Path) -> bool:
  """Whether nobody here can write it and nothing waits beside it."""
  log = path.with_name(f'{path.name}-wal')
  waits = log.exists() and log.stat().st_size > 0
  return not os.access(path.parent, os.W_OK) and not waits
