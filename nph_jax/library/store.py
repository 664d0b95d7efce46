"""What a library knows of each file: one SQLite file beside the index.

Features stay here, so that all codes can be made anew. Each change is one
transaction, and the index follows: `waiting` are the rows that it does not have
as they are here, whatever killed the program in between.
"""

from __future__ import annotations

import contextlib
import dataclasses
import json
import pathlib
import sqlite3
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from nph_jax import errors
from nph_jax.extraction import extracting
from nph_jax.library import shots

NAME = 'library.sqlite'
ERROR = extracting.ERROR
_LENGTH = '<u4'  # of a segment, after the frames where these are cut by AUTO
_COLUMNS = 'number, path, size, time, record, video, indexed'
_SCHEMA = """
CREATE TABLE IF NOT EXISTS settings (name TEXT PRIMARY KEY, value);
CREATE TABLE IF NOT EXISTS files (
  number INTEGER PRIMARY KEY, path TEXT UNIQUE NOT NULL, size INTEGER NOT NULL,
  time INTEGER NOT NULL, record TEXT NOT NULL, video INTEGER UNIQUE,
  indexed INTEGER NOT NULL
);
CREATE TABLE IF NOT EXISTS features (
  number INTEGER PRIMARY KEY REFERENCES files ON DELETE CASCADE,
  frames BLOB NOT NULL
);
CREATE TABLE IF NOT EXISTS segments (
  number INTEGER PRIMARY KEY REFERENCES files ON DELETE CASCADE,
  seconds REAL NOT NULL, frames BLOB NOT NULL
);
"""


@dataclasses.dataclass(frozen=True)
class File:
  """One row.

  Attributes:
    number: of the row.
    path: absolute.
    stamp: bytes and time of the last change, as of extraction.files.Video.
    record: what extraction found; under ERROR why there is nothing.
    video: its id in the index; None as long as it has none.
    indexed: whether the index has the row as it is here, or had until someone
      removed it there.
  """

  number: int
  path: str
  stamp: tuple[int, int]
  record: dict[str, Any]
  video: int | None
  indexed: bool

  @property
  def is_bad(self) -> bool:
    return ERROR in self.record


class Store:
  """The file; a context manager. One program writes: whoever has the index."""

  def __init__(
    self,
    folder: pathlib.Path,
    read_only: bool = False,
    alone: str | None = None,
  ):
    """Opens the file in the folder of an index, or makes it.

    Args:
      folder: of the file.
      read_only: it is there, and stays as it is.
      alone: the name of a file without an index, which it locks.

    Raises:
      UserError: it cannot be read or written, or is locked.
    """
    self.path, self._alone = folder / (alone or NAME), alone is not None
    self.read_only = read_only
    with self._guarded(), contextlib.ExitStack() as stack:
      self._database = sqlite3.connect(
        self.path, timeout=0 if alone else 30, isolation_level=None
      )
      stack.callback(self._database.close)
      if alone:
        # Held until closed, and given back by the system if this is killed.
        self._database.execute('PRAGMA locking_mode = EXCLUSIVE')
      if not read_only:
        self._database.execute('PRAGMA synchronous = FULL')
        self._database.execute('PRAGMA foreign_keys = ON')
        self._database.executescript(f'BEGIN IMMEDIATE;{_SCHEMA}COMMIT;')
      self._closing = stack.pop_all()

  def __enter__(self) -> Store:
    return self

  def __exit__(self, *_: object) -> None:
    self._closing.close()

  @property
  def settings(self) -> dict[str, Any]:
    """What was set, by name."""
    return dict(self._read('SELECT name, value FROM settings'))

  def set(self, **values: Any) -> None:
    """Sets some of `settings`."""
    with self._changing() as database:
      database.executemany(
        'INSERT OR REPLACE INTO settings VALUES (?, ?)', values.items()
      )

  def files(self) -> list[File]:
    """All rows, in the order in which they came."""
    return self._files('SELECT {} FROM files ORDER BY number')

  def waiting(self) -> list[File]:
    """Rows that the index does not have as they are, and could have."""
    found = self._files('SELECT {} FROM files WHERE NOT indexed')
    return [file for file in found if not file.is_bad]

  def put(
    self,
    path: str,
    stamp: tuple[int, int],
    record: Mapping[str, Any],
    frames: np.ndarray | None,
    video: int | None = None,
    parts: shots.Parts | None = None,
  ) -> None:
    """Adds a file, or replaces what was known of one at this path.

    Args:
      path: absolute.
      stamp: of the file.
      record: of extraction.
      frames: [M, L], None of a bad file.
      video: the id of a file that is in the index already; its own otherwise.
      parts: as long as the settings say that segments are to be; the index is
        to have the file anew then.
    """
    known = video is not None and parts is None
    with self._changing() as database:
      (number,) = database.execute(
        'INSERT INTO files (path, size, time, record, video, indexed) '
        'VALUES (?, ?, ?, ?, ?, ?) ON CONFLICT (path) DO UPDATE SET '
        'size = excluded.size, time = excluded.time, '
        'record = excluded.record, indexed = 0 RETURNING number',
        [path, *stamp, json.dumps(record), video, known],
      ).fetchone()
      for table in ('features', 'segments'):
        database.execute(f'DELETE FROM {table} WHERE number = ?', [number])
      if frames is not None:
        blob = np.asarray(frames, '<f2').tobytes()
        database.execute('INSERT INTO features VALUES (?, ?)', [number, blob])
      if parts is not None:
        blob = np.asarray(parts.frames, '<f2').tobytes()
        if self.length == shots.AUTO:
          blob += parts.lengths.astype(_LENGTH).tobytes()
        database.execute(
          'INSERT INTO segments VALUES (?, ?, ?)', [number, self.length, blob]
        )

  def move(self, file: File, path: str, stamp: tuple[int, int]) -> None:
    """Gives a file another place; the index will be told if it is another."""
    with self._changing() as database:
      database.execute(
        'UPDATE files SET path = ?, size = ?, time = ?, '
        'indexed = indexed AND path = ? WHERE number = ?',
        [path, *stamp, path, file.number],
      )

  def allot(self, files: Sequence[File], videos: Sequence[int]) -> None:
    """Gives rows the ids that they are to have in the index."""
    with self._changing() as database:
      database.executemany(
        'UPDATE files SET video = ? WHERE number = ?',
        [(video, file.number) for video, file in zip(videos, files)],
      )

  def mark(self, files: Iterable[File], indexed: bool) -> None:
    """Notes whether the index has these rows as they are."""
    with self._changing() as database:
      database.executemany(
        'UPDATE files SET indexed = ? WHERE number = ?',
        [(indexed, file.number) for file in files],
      )

  def forget(self, files: Iterable[File]) -> None:
    """Deletes rows and their features."""
    with self._changing() as database:
      database.executemany(
        'DELETE FROM files WHERE number = ?', [(x.number,) for x in files]
      )

  def frames(self, files: Sequence[File]) -> np.ndarray:
    """Features float16 [n, M, L] of rows that are not bad.

    Raises:
      UserError: the file is damaged.
    """
    settings, found = self.settings, []
    shape = settings['num_frames'], settings['feature_dim']
    for file in files:
      rows = self._read(
        'SELECT frames FROM features WHERE number = ?', file.number
      )
      if not rows or len(rows[0][0]) != 2 * shape[0] * shape[1]:
        raise self._damaged()
      found.append(np.frombuffer(rows[0][0], '<f2').reshape(shape))
    return np.stack(found) if found else np.empty((0, *shape), np.float16)

  def frames_of(self, video: int) -> np.ndarray | None:
    """As `frames`, [M, L] of the row whose id in the index this is.

    None where there is none, or it is bad by now.
    """
    found = self._files('SELECT {} FROM files WHERE video = ?', video)
    good = [file for file in found if not file.is_bad]
    return self.frames(good)[0] if good else None

  @property
  def length(self) -> float | str | None:
    """Seconds of segments, or shots.AUTO; None where there are to be none."""
    return self.settings.get('segments')

  def segmented(self) -> set[int]:
    """Numbers of the rows that have segments as long as they are to be."""
    rows = self._read(
      'SELECT number FROM segments WHERE seconds = ?', self.length
    )
    return {number for (number,) in rows}

  def segments(self, file: File) -> shots.Parts | None:
    """A row's segments, a frame float16 [L] of each; None without any.

    Raises:
      UserError: the file is damaged.
    """
    return self._segments('number = ?', file.number)

  def segments_of(self, video: int) -> shots.Parts | None:
    """As `segments`, of the row whose id in the index this is."""
    number = 'number = (SELECT number FROM files WHERE video = ?)'
    return self._segments(number, video)

  def _segments(self, which: str, value: int) -> shots.Parts | None:
    rows = self._read(
      f'SELECT seconds, frames FROM segments WHERE {which}', value
    )
    if not rows:
      return None
    ((length, blob),) = rows
    width, cut = self.settings['feature_dim'], length == shots.AUTO
    count, rest = divmod(len(blob), 2 * width + 4 * cut)
    if rest or not count:
      raise self._damaged()
    frames = np.frombuffer(blob, '<f2', count * width).reshape(count, width)
    if not cut:
      return shots.equal(length, frames)
    lengths = np.frombuffer(blob, _LENGTH, count, frames.nbytes)
    return shots.Parts(shots.SPACING, frames, lengths.astype(np.int64))

  def cut(self, length: float | str | None) -> None:
    """Sets how long segments are to be; None takes all of them out.

    Files have them once they are extracted again.
    """
    if length == self.length:
      return
    with self._changing() as database:
      database.execute(
        "INSERT OR REPLACE INTO settings VALUES ('segments', ?)", [length]
      )
      if length is None:
        database.execute(
          'UPDATE files SET indexed = 0 WHERE number IN '
          '(SELECT number FROM segments)'
        )
        database.execute('DELETE FROM segments')

  def _files(self, statement: str, *values: Any) -> list[File]:
    rows = self._read(statement.format(_COLUMNS), *values)
    try:
      return [
        File(number, path, (size, time), json.loads(record), video, bool(there))
        for number, path, size, time, record, video, there in rows
      ]
    except ValueError as error:
      raise self._damaged() from error

  def _read(self, statement: str, *values: Any) -> list[tuple]:
    with self._guarded():
      return self._database.execute(statement, values).fetchall()

  @contextlib.contextmanager
  def _changing(self) -> Iterator[sqlite3.Connection]:
    with self._guarded(), self._database:
      self._database.execute('BEGIN IMMEDIATE')
      yield self._database

  def _damaged(self) -> errors.UserError:
    what = 'it to begin anew' if self._alone else 'the folder and add them anew'
    return errors.UserError(f'{self.path}: is damaged; delete {what}.')

  @contextlib.contextmanager
  def _guarded(self) -> Iterator[None]:
    """Turns what SQLite raises into a UserError that says what to do."""
    try:
      yield
    except sqlite3.Error as error:
      name = getattr(error, 'sqlite_errorname', '')
      if name.startswith(('SQLITE_CORRUPT', 'SQLITE_NOTADB')):
        raise self._damaged() from error
      if self._alone and name.startswith('SQLITE_BUSY'):
        raise errors.UserError(
          f'{self.path}: another process is writing this extraction; wait for '
          'it, or give another --out.'
        ) from error
      raise errors.UserError(
        f'{self.path}: cannot be read or written ({error}); free some space '
        'or change its permissions, and run the same command again.'
      ) from error
