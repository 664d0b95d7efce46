"""What an index durably holds: batches of codes and ids, and a row a video.

A batch is one transaction and one blob of ids and codes, which faiss' side is
made from; t and metadata, which are read for few videos at a time, have a row a
video. So nothing but the blobs is written anew by a compaction.
"""

from __future__ import annotations

import contextlib
import dataclasses
import hashlib
import pathlib
import sqlite3
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

import numpy as np

from nph_jax.index import catalogue, database, errors, folder, records

EVERYTHING = records.State()  # since then, all came
_BLOCK = 2**17  # rows to a batch at most; SQLite holds blobs of 10^9 bytes
_STATE = """
SELECT (SELECT value FROM settings WHERE name = 'generation'),
  (SELECT start + count FROM batches ORDER BY start DESC LIMIT 1),
  (SELECT seq FROM sqlite_sequence WHERE name = 'removed')
"""
# A removal is of the rows before it; an id may come again behind it.
_REMOVED = """
SELECT id, max(before) FROM removed WHERE number > ? GROUP BY id ORDER BY id
"""


class Store:
  """The folder of an index, open for reading or by its one writer."""

  def __init__(self, directory: pathlib.Path, read_only: bool):
    self.directory, self.path = directory, directory / database.NAME
    self._writing = threading.Lock()  # an engine notes things, too
    with contextlib.ExitStack() as stack:
      connect = lambda mode: stack.enter_context(  # noqa: E731
        contextlib.closing(database.connect(self.path, mode))
      )
      self._writer = None
      if not read_only:
        database.connect(self.path, 'ro').close()
        stack.callback(folder.hold(directory).release)
        self._writer = connect('rw')
      # Not 'ro' beside a writer: SQLite would leave its files behind.
      self._reader = connect('ro' if read_only else 'rw')
      self.settings = self.read_settings()
      self._closing = stack.pop_all()

  @property
  def read_only(self) -> bool:
    return self._writer is None

  def close(self) -> None:
    if self._writer is not None:
      self._reader.close()
      # One file then holds all, also on a disk that cannot be written.
      with contextlib.suppress(sqlite3.OperationalError):
        self._writer.execute('PRAGMA journal_mode = DELETE')
    self._closing.close()

  def reading(self) -> contextlib.AbstractContextManager:
    """All that is read inside is of one moment; one thread at a time."""
    return database.transaction(self.path, self._reader, 'DEFERRED')

  def query(self, statement: str, *values: Any) -> list[tuple]:
    """All rows of a SELECT."""
    with database.guarded(self.path):
      return self._reader.execute(statement, values).fetchall()

  def read_settings(self) -> records.Settings:
    """The settings now; a rehash changes them."""
    values = dict(self.query('SELECT name, value FROM settings'))
    names = [field.name for field in dataclasses.fields(records.Settings)]
    try:
      return records.Settings(**{name: values[name] for name in names})
    except KeyError as error:
      raise errors.damaged(self.path, f'has no setting {error}') from error

  def state(self) -> records.State:
    """How far the store is now, other programs' changes included."""
    with database.guarded(self.path):
      return _state(self._reader)

  def next_id(self) -> int:
    """Greater than every id that ever was in the index; for the writer."""
    with database.guarded(self.path):
      return _setting(self._writer, 'next_id')

  def wasted(self, count: int) -> tuple[int, int]:
    """Rows beyond `count`, and batches; for the writer."""
    with database.guarded(self.path):
      rows = _state(self._writer).rows
      statement = 'SELECT count(*) FROM batches'
      return rows - count, self._writer.execute(statement).fetchone()[0]

  def changes(self, since: records.State) -> records.Changes:
    """What came after `since`; everything where its generation is not now's.

    Raises:
      Damaged: a batch is not as it was written.
    """
    state = self.state()
    if not (
      since.generation == state.generation
      and since.rows <= state.rows
      and since.removals <= state.removals
    ):
      since = records.State()
    removed = self.query(_REMOVED, since.removals)
    gone, before = np.array(removed, np.int64).reshape(-1, 2).T
    ids, codes, lists = self._rows(since.rows, state.rows)
    rows = np.arange(since.rows, state.rows)
    place = np.searchsorted(gone, ids).clip(max=max(len(gone) - 1, 0))
    if len(gone):
      alive = (gone[place] != ids) | (before[place] <= rows)
      if not alive.all():
        ids, codes, lists = ids[alive], codes[alive], lists[alive]
    return records.Changes(since, state, gone, ids, codes, lists)

  def _rows(self, start: int, end: int) -> tuple[np.ndarray, ...]:
    """Ids, codes and lists of rows `start` to `end`, removed ones included."""
    width = self.settings.num_bits // 8
    ids = np.empty(end - start, np.int64)
    codes = np.empty((end - start, width), np.uint8)
    lists = np.full(end - start, -1, np.int32)
    done = start
    with database.guarded(self.path):
      for first, count, digest, *blobs in self._reader.execute(
        'SELECT * FROM batches WHERE start >= ? ORDER BY start', [start]
      ):
        sizes = [len(blob) for blob in blobs[:2]]
        if (
          first != done
          or first + count > end
          or sizes != [8 * count, width * count]
          or _digest(*blobs) != digest
        ):
          raise errors.damaged(
            self.path, f'the batch at row {first} is not as it was written'
          )
        part = slice(done - start, done - start + count)
        ids[part] = np.frombuffer(blobs[0], '<i8')
        codes[part] = np.frombuffer(blobs[1], np.uint8).reshape(count, width)
        if blobs[2]:
          lists[part] = np.frombuffer(blobs[2], '<i4')
        done += count
    return ids, codes, lists

  def add(
    self,
    batch: records.Batch,
    lists: np.ndarray | None = None,
    job: tuple[str, int, int] | None = None,
  ) -> None:
    """Adds a batch; durable on return.

    Args:
      batch: the videos; none where only the job is to be noted.
      lists: of the engine 'ivf', int32 [n].
      job: name, videos done with this batch and in all, of a long addition
        that can go on after an interruption; its name stays when it is done.

    Raises:
      BadMetadata: JSON cannot hold it; nothing was added then.
      Unavailable: the disk is full, say; nothing was added then.
    """
    with self._changing() as connection:
      if len(batch.ids):
        next_id = max(_setting(connection, 'next_id'), int(batch.ids.max()) + 1)
        start = _state(connection).rows
        _insert(connection, start, batch.ids, batch.codes, lists)
        catalogue.insert(connection, batch)
        _set(connection, next_id=next_id)
      if job is not None:
        database.set_job(connection, *job)

  def remove(self, ids: np.ndarray) -> None:
    """Removes videos that are there; durable on return."""
    with self._changing() as connection:
      rows = _state(connection).rows
      connection.executemany(
        'INSERT INTO removed (id, before) VALUES (?, ?)',
        [(video, rows) for video in ids.tolist()],
      )
      catalogue.delete(connection, ids)

  def compact(
    self,
    ids: np.ndarray,
    codes: np.ndarray,
    lists: np.ndarray | None = None,
    quantizer: bytes | None = None,
  ) -> None:
    """Writes what is live anew, and gives back the space of what is not.

    Args:
      ids, codes: all that is live.
      lists, quantizer: of the engine 'ivf', made anew.
    """
    with self._changing() as connection:
      _replace(connection, ids, codes, lists)
      if quantizer is not None:
        _note(connection, 'ivf', sealed(quantizer))
    with database.guarded(self.path):
      self._writer.execute('PRAGMA incremental_vacuum').fetchall()

  def rehash(
    self,
    batches: Iterable[records.Batch],
    ids: np.ndarray,
    settings: Mapping[str, Any],
  ) -> None:
    """Gives every video another code and t, all or nothing; durable on return.

    Args:
      batches: of all videos, without metadata.
      ids: sorted, of all videos.
      settings: that change with it.

    Raises:
      InvalidRequest: a video is missing or there twice; nothing changed then.
    """
    with self._changing() as connection:
      parts = []
      for batch in batches:
        catalogue.replace(connection, batch)
        parts.append((batch.ids, batch.codes))
      new_ids, codes = map(np.concatenate, zip(*parts))
      order = np.argsort(new_ids)
      if not np.array_equal(new_ids[order], ids):
        raise errors.InvalidRequest(
          f'{self.directory}: holds {len(ids)} videos, but new codes came of '
          f'{len(np.intersect1d(new_ids, ids))} of them; nothing was changed; '
          'give the features of all, each once.'
        )
      _replace(connection, ids, codes[order], None)
      _set(connection, **settings)
      connection.execute("DELETE FROM engine WHERE name = 'ivf'")
      connection.execute('DELETE FROM jobs')  # were of the other bundle

  @contextlib.contextmanager
  def _changing(self) -> Iterator[sqlite3.Connection]:
    with (
      self._writing,
      database.transaction(self.path, self._writer) as connection,
    ):
      yield connection

  def note(self, name: str, value: Any) -> None:
    """Keeps what an engine wants to know again; durable on return."""
    with self._changing() as connection:
      _note(connection, name, value)

  def noted(self, name: str) -> Any:
    """What was noted under `name`, None if nothing was."""
    rows = self.query('SELECT value FROM engine WHERE name = ?', name)
    return rows[0][0] if rows else None

  def ask(self, question: Callable[..., Any], *arguments: Any) -> Any:
    """What a function of `catalogue` that reads says."""
    with database.guarded(self.path):
      return question(self._reader, *arguments)

  def jobs(self) -> dict[str, tuple[int, int]]:
    """Videos done and in all of each addition that was begun."""
    rows = self.query('SELECT name, done, total FROM jobs')
    return {name: (done, total) for name, done, total in rows}

  def names(self) -> list[str]:
    """Names that metadata in the index has or had."""
    return [name for (name,) in self.query('SELECT name FROM names')]


def _state(connection: sqlite3.Connection) -> records.State:
  generation, rows, removals = connection.execute(_STATE).fetchone()
  return records.State(generation, rows or 0, removals or 0)


def _setting(connection: sqlite3.Connection, name: str) -> Any:
  statement = 'SELECT value FROM settings WHERE name = ?'
  return connection.execute(statement, [name]).fetchone()[0]


def _replace(
  connection: sqlite3.Connection,
  ids: np.ndarray,
  codes: np.ndarray,
  lists: np.ndarray | None,
) -> None:
  """Makes these the only batches, of a new generation."""
  generation = _setting(connection, 'generation') + 1
  connection.execute('DELETE FROM batches')
  connection.execute('DELETE FROM removed')
  _insert(connection, 0, ids, codes, lists)
  _set(connection, generation=generation)


def _insert(
  connection: sqlite3.Connection,
  start: int,
  ids: np.ndarray,
  codes: np.ndarray,
  lists: np.ndarray | None,
) -> None:
  if lists is None:
    lists = np.empty(0)
  for first in range(0, len(ids), _BLOCK):
    part = slice(first, first + _BLOCK)
    blobs = (
      ids[part].astype('<i8').tobytes(),
      np.ascontiguousarray(codes[part]).tobytes(),
      lists[part].astype('<i4').tobytes(),
    )
    connection.execute(
      'INSERT INTO batches VALUES (?, ?, ?, ?, ?, ?)',
      [start + first, len(ids[part]), _digest(*blobs), *blobs],
    )


def _digest(*blobs: bytes) -> bytes:
  """What tells whether a batch is still as it was written."""
  digest = hashlib.blake2b(digest_size=8)
  for blob in blobs:
    digest.update(blob)
  return digest.digest()


def _set(connection: sqlite3.Connection, **values: Any) -> None:
  connection.executemany(
    'UPDATE settings SET value = ? WHERE name = ?',
    [(value, name) for name, value in values.items()],
  )


def _note(connection: sqlite3.Connection, name: str, value: Any) -> None:
  connection.execute(
    'INSERT OR REPLACE INTO engine VALUES (?, ?)', [name, value]
  )


def sealed(content: bytes) -> bytes:
  """`content` behind its digest."""
  return _digest(content) + content


def unsealed(content: bytes) -> bytes | None:
  """What was `sealed`, None where it is damaged."""
  digest, rest = content[:8], content[8:]
  return rest if _digest(rest) == digest else None
