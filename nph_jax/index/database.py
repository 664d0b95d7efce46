"""The SQLite file of an index: made, opened, and what it says turned around.

It keeps a write-ahead log, synced at each commit (synchronous = FULL): with it
readers see a whole state and neither wait for the writer nor it for them.
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
_SCHEMA = f"""
PRAGMA auto_vacuum = INCREMENTAL;
BEGIN;
CREATE TABLE settings (name TEXT PRIMARY KEY, value) WITHOUT ROWID;
-- What was added, and removed where codes are NULL; count is negative then.
CREATE TABLE log (
  number INTEGER PRIMARY KEY, count INTEGER NOT NULL, digest BLOB NOT NULL,
  ids BLOB NOT NULL, codes BLOB, lists BLOB
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
PRAGMA user_version = {FORMAT};
COMMIT;
"""
_BUSY = 'is busy in another program; try again when that is done'
_DENIED = 'cannot be opened or written ({}); check who may write to it'
_NOT_NOW = {
  sqlite3.SQLITE_FULL: 'the disk is full; free some space and run the same '
  'command again',
  sqlite3.SQLITE_IOERR: 'the disk did not read or write ({}); see to its '
  'space, to limits of file sizes and to its health, and try again',
  sqlite3.SQLITE_NOMEM: 'there is not enough memory; free some',
  sqlite3.SQLITE_BUSY: _BUSY,
  sqlite3.SQLITE_LOCKED: _BUSY,
  sqlite3.SQLITE_PROTOCOL: _BUSY,
  sqlite3.SQLITE_READONLY: _DENIED,
  sqlite3.SQLITE_CANTOPEN: _DENIED,
  sqlite3.SQLITE_PERM: _DENIED,
}


def create(
  path: pathlib.Path,
  settings: Mapping[str, Any],
  job: tuple[str, int, int] | None,
) -> None:
  """Makes a file with all tables, these settings, and a job to be done."""
  with guarded(path), contextlib.closing(open_file(path, 'rwc')) as connection:
    connection.executescript(_SCHEMA)
    set_values(connection, settings)
    set_job(connection, job)


def set_values(
  connection: sqlite3.Connection, values: Mapping[str, Any]
) -> None:
  """Sets settings, or what an engine wants to know again."""
  connection.executemany(
    'INSERT OR REPLACE INTO settings VALUES (?, ?)', values.items()
  )


def set_job(
  connection: sqlite3.Connection, job: tuple[str, int, int] | None
) -> None:
  """Notes how far a long addition is, or that it is done."""
  if job is not None:
    connection.execute('INSERT OR REPLACE INTO jobs VALUES (?, ?, ?)', job)


def connect(path: pathlib.Path, mode: str) -> sqlite3.Connection:
  """Opens an index in SQLite's `mode`; no transaction is begun.

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
  with guarded(path), contextlib.ExitStack() as stack:
    connection = open_file(path, mode)
    stack.callback(lambda: connection.close())
    if mode == 'ro' and _is_still(path):
      try:
        connection.execute('PRAGMA user_version')
      except sqlite3.OperationalError:
        # On a read-only disk SQLite cannot make the files that it shares. Not
        # otherwise: it would not see what another user's writer adds.
        connection = open_file(path, 'ro&immutable=1')
    _check_format(path, connection.execute('PRAGMA user_version').fetchone()[0])
    if mode == 'rw':
      connection.execute('PRAGMA journal_mode = WAL')
      connection.execute('PRAGMA journal_size_limit = 67108864')
      connection.execute('PRAGMA synchronous = FULL')
    connection.execute('PRAGMA cache_size = -16384')
    stack.pop_all()
  return connection


def open_file(path: pathlib.Path, mode: str) -> sqlite3.Connection:
  """A connection to whatever file; see connect."""
  address = f'file:{urllib.parse.quote(os.fspath(path))}?mode={mode}'
  return sqlite3.connect(
    address, uri=True, timeout=30, isolation_level=None,
    check_same_thread=False,
  )  # fmt: skip


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
    code = getattr(error, 'sqlite_errorcode', sqlite3.SQLITE_CORRUPT)
    why = _NOT_NOW.get(code & 0xFF)
    # Of the read errors those that mean other content than was written.
    if why is None or code == sqlite3.SQLITE_IOERR_CORRUPTFS:
      raise errors.damaged(path, f'is damaged or no index ({error})') from error
    raise errors.Unavailable(f'{path}: {why.format(error)}.') from error


def _check_format(path: pathlib.Path, found: int) -> None:
  if found > FORMAT:
    raise errors.Damaged(
      f'{path}: has format {found}, newer than this version of nph_jax reads '
      f'({FORMAT}); update nph_jax.'
    )
  if found < 1:
    raise errors.damaged(path, 'is no index')
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
