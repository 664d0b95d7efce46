"""What an index durably holds: a log of codes and ids, and a row a video.

What is added or removed at once is one transaction and one entry of the log,
which the engines are made from; t and metadata, which are read for few videos
at a time, have a row a video. So a compaction writes nothing but codes anew.
"""

from __future__ import annotations

import contextlib
import hashlib
import pathlib
import sqlite3
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from nph_jax import atomic
from nph_jax.errors import writing
from nph_jax.index import catalogue, database, errors, segments
from nph_jax.index.records import Batch, Changes, Settings, State

if TYPE_CHECKING:
  import filelock

LOCK = 'lock'
_STATE = """
SELECT value, (SELECT ifnull(max(number), 0) FROM log) FROM settings
WHERE name = 'generation'
"""
_BLOCK = 2**17  # codes to an entry at most; SQLite holds blobs of 10^9 bytes


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
        stack.callback(hold(directory).release)
        self._writer = connect('rw')
      # Not 'ro' beside a writer: SQLite would leave its files behind.
      self._reader = connect('ro' if read_only else 'rw')
      self.settings = self.read_settings()
      self._closing = stack.pop_all()

  @property
  def read_only(self) -> bool:
    return self._writer is None

  def close(self) -> None:
    """Closes the files; a writer leaves one file that holds all."""
    if self._writer is not None:
      self._reader.close()
      # Not while others read it; nobody waits for them.
      with contextlib.suppress(sqlite3.OperationalError):
        self._writer.execute('PRAGMA busy_timeout = 0')
        self._writer.execute('PRAGMA journal_mode = DELETE')
    self._closing.close()

  def reading(self) -> contextlib.AbstractContextManager:
    """All that is read inside is of one moment; one thread at a time."""
    return database.transaction(self.path, self._reader, 'DEFERRED')

  def query(self, statement: str, *values: Any) -> list[tuple]:
    """All rows of a SELECT."""
    with database.guarded(self.path):
      return self._reader.execute(statement, values).fetchall()

  def ask(self, question: Callable[..., Any], *arguments: Any) -> Any:
    """What a function of `catalogue` that reads says."""
    with database.guarded(self.path):
      return question(self._reader, *arguments)

  def read_settings(self) -> Settings:
    """The settings now; a rehash changes them."""
    values = dict(self.query('SELECT name, value FROM settings'))
    try:
      return Settings(*(values[name] for name in Settings._fields))
    except KeyError as error:
      raise errors.damaged(self.path, f'has no setting {error}') from error

  def noted(self, name: str) -> Any:
    """A setting, or what was noted under `name`; None if nothing was."""
    return self.ask(_noted, name)

  def note(self, name: str, value: Any) -> None:
    """Keeps what an engine wants to know again; durable on return."""
    with self._changing() as connection:
      database.set_values(connection, {name: value})

  def state(self) -> State:
    """How far the store is now, other programs' changes included."""
    return State(*self.query(_STATE)[0])

  def size(self) -> tuple[int, int]:
    """Codes in the log, removed ones included, and its entries."""
    statement = 'SELECT ifnull(sum(max(count, 0)), 0), count(*) FROM log'
    return self.query(statement)[0]

  def jobs(self) -> dict[str, tuple[int, int]]:
    """Videos done and in all of each addition that was begun."""
    rows = self.query('SELECT name, done, total FROM jobs')
    return {name: (done, total) for name, done, total in rows}

  def changes(self, since: State) -> Changes:
    """What came after `since`; everything where its generation is not now's.

    Raises:
      Damaged: an entry is not as it was written.
    """
    state = self.state()
    if since.generation != state.generation or since.number > state.number:
      since = State()
    ((count,),) = self.query(
      'SELECT ifnull(sum(max(count, 0)), 0) FROM log WHERE number > ?',
      since.number,
    )
    ids = np.empty(count, np.int64)
    codes = np.empty((len(ids), self.settings.num_bits // 8), np.uint8)
    lists = np.full(len(ids), -1, np.int32)
    gone: dict[int, int] = {}  # how many were added before the removal
    done = 0
    for entry in self._entries(since.number):
      if entry[1] is None:
        gone.update(dict.fromkeys(entry[0].tolist(), done))
        continue
      part = slice(done, done := done + len(entry[0]))
      ids[part], codes[part] = entry[:2]
      if len(entry[2]):
        lists[part] = entry[2]
    removed, kept = np.array(sorted(gone), np.int64), _kept(ids, gone)
    if not kept.all():
      ids, codes, lists = ids[kept], codes[kept], lists[kept]
    return Changes(since, state, removed, ids, codes, lists)

  def _entries(self, after: int) -> Iterator[tuple]:
    """Ids, codes and lists of each entry, checked; codes None of a removal."""
    width = self.settings.num_bits // 8
    with database.guarded(self.path):
      for number, count, digest, *blobs in self._reader.execute(
        'SELECT * FROM log WHERE number > ? ORDER BY number', [after]
      ):
        after, count = after + 1, abs(count)
        sizes = [len(blob) for blob in blobs[:2] if blob is not None]
        if (
          number != after
          or _digest(*blobs) != digest
          or sizes != [8 * count, width * count][: len(sizes)]
        ):
          raise errors.damaged(
            self.path, f'entry {after} is not as it was written'
          )
        ids = np.frombuffer(blobs[0], '<i8')
        if blobs[1] is None:
          yield ids, None, None
        else:
          codes = np.frombuffer(blobs[1], np.uint8).reshape(count, width)
          yield ids, codes, np.frombuffer(blobs[2], '<i4')

  def add(
    self,
    batch: Batch,
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
        _append(connection, batch.ids, batch.codes, lists)
        catalogue.insert(connection, batch)
        _insert_segments(connection, batch)
        next_id = max(_noted(connection, 'next_id'), int(batch.ids.max()) + 1)
        database.set_values(connection, {'next_id': next_id})
      database.set_job(connection, job)

  def remove(self, ids: np.ndarray) -> None:
    """Removes videos that are there; durable on return."""
    with self._changing() as connection:
      _append(connection, ids, None, None)
      catalogue.delete(connection, ids)
      segments.delete(connection, ids.tolist())

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
        database.set_values(connection, {'ivf': sealed(quantizer)})
    with database.guarded(self.path):
      self._writer.execute('PRAGMA incremental_vacuum').fetchall()

  def rehash(
    self, batches: Iterable[Batch], ids: np.ndarray, settings: Mapping[str, Any]
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
      segments.delete(connection)
      for batch in batches:
        catalogue.replace(connection, batch)
        _insert_segments(connection, batch)
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
      database.set_values(connection, settings)
      connection.execute("DELETE FROM settings WHERE name = 'ivf'")
      connection.execute('DELETE FROM jobs')  # were of the other bundle

  @contextlib.contextmanager
  def _changing(self) -> Iterator[sqlite3.Connection]:
    with (
      self._writing,
      database.transaction(self.path, self._writer) as connection,
    ):
      yield connection


def hold(directory: pathlib.Path) -> filelock.BaseFileLock:
  """Takes the lock of the one writer; its `release` gives it back.

  Raises:
    Unavailable: another program has it.
    InvalidRequest: the folder cannot be written.
  """
  with making(directory):
    lock = atomic.lock(directory / LOCK)
  if lock is None:
    raise errors.Unavailable(
      f'{directory}: is open for writing in another program; end that one '
      'first, or open the index for reading only.'
    )
  return lock


@contextlib.contextmanager
def making(path: pathlib.Path) -> Iterator[None]:
  """Turns a folder that cannot be written into an InvalidRequest."""
  try:
    with writing(path):
      yield
  except OSError as error:
    raise errors.InvalidRequest(
      f'{path}: cannot be written ({error.strerror}); give a folder that you '
      'may write to.'
    ) from error


def _noted(connection: sqlite3.Connection, name: str) -> Any:
  statement = 'SELECT value FROM settings WHERE name = ?'
  found = connection.execute(statement, [name]).fetchone()
  return found and found[0]


def _replace(connection: sqlite3.Connection, *rows: np.ndarray | None) -> None:
  """Makes these the only entries, of a new generation."""
  connection.execute('DELETE FROM log')
  _append(connection, *rows)
  generation = _noted(connection, 'generation') + 1
  database.set_values(connection, {'generation': generation})


def _append(
  connection: sqlite3.Connection,
  ids: np.ndarray,
  codes: np.ndarray | None,
  lists: np.ndarray | None,
) -> None:
  """Writes entries of so many videos, of a removal where `codes` is None."""
  for start in range(0, len(ids), _BLOCK):
    part = slice(start, start + _BLOCK)
    count = len(ids[part])
    blobs = [ids[part].astype('<i8').tobytes(), None, None]
    if codes is not None:
      blobs[1] = np.ascontiguousarray(codes[part]).tobytes()
      blobs[2] = b'' if lists is None else lists[part].astype('<i4').tobytes()
    connection.execute(
      'INSERT INTO log VALUES ((SELECT ifnull(max(number), 0) + 1 FROM log), '
      '?, ?, ?, ?, ?)',
      [count if codes is not None else -count, _digest(*blobs), *blobs],
    )


def _insert_segments(connection: sqlite3.Connection, batch: Batch) -> None:
  if batch.segments is not None:
    segments.insert(connection, batch.ids.tolist(), batch.segments)


def _kept(ids: np.ndarray, gone: Mapping[int, int]) -> np.ndarray:
  """Which of `ids` were not removed after they were added; an id may return."""
  rows = np.flatnonzero(np.isin(ids, np.fromiter(gone, np.int64)))
  kept = np.ones(len(ids), bool)
  kept[rows] = [gone[video] <= row for row, video in zip(rows, ids[rows])]
  return kept


def _digest(*blobs: bytes | None) -> bytes:
  """What tells whether an entry is still as it was written."""
  digest = hashlib.blake2b(digest_size=8)
  for blob in blobs:
    digest.update(blob or b'')
  return digest.digest()


def sealed(content: bytes) -> bytes:
  """`content` behind its digest."""
  return _digest(content) + content


def unsealed(content: bytes) -> bytes | None:
  """What was `sealed`, None where it is damaged."""
  digest, rest = content[:8], content[8:]
  return rest if _digest(rest) == digest else None
