"""What an index durably holds: codes, t, ids and metadata, in one folder.

Rows are appended to files and synced before the SQLite transaction that makes
them count; so a batch is wholly there after a crash, or not at all.
"""

from __future__ import annotations

import contextlib
import dataclasses
import os
import pathlib
import sqlite3
from collections.abc import Mapping
from typing import Any

import numpy as np

from nph_jax.retrieval.indexing import (
  catalogue,
  database,
  folder,
  records,
  row_file,
)

_BLOCK = 2**17  # rows
_INSERT = 'INSERT INTO batches VALUES (?, ?, ?, ?, ?)'
_STATE = """
SELECT (SELECT value FROM settings WHERE name = 'generation'),
  (SELECT start + count FROM batches ORDER BY start DESC LIMIT 1),
  (SELECT seq FROM sqlite_sequence WHERE name = 'removed')
"""


class Store:
  """The folder of an index, open for reading or by its one writer."""

  def __init__(self, directory: pathlib.Path, read_only: bool):
    self.directory = directory
    self.path = directory / database.NAME
    self._version = None
    with contextlib.ExitStack() as stack:
      connect = lambda mode: stack.enter_context(  # noqa: E731
        contextlib.closing(database.connect(self.path, mode))
      )
      self._writer = None
      if not read_only:
        database.check(self.path)
        stack.callback(os.close, folder.hold(directory))
        self._writer = connect('rw')
      # Not 'ro' beside a writer: SQLite would leave its files behind.
      self._reader = connect('ro' if read_only else 'rw')
      values = dict(self.query('SELECT name, value FROM settings'))
      fields = [f.name for f in dataclasses.fields(records.Settings)]
      self.settings = records.Settings(
        **{name: values[name] for name in fields}
      )
      if self._writer is not None:
        self._remove_orphans()
      self._closing = stack.pop_all()

  @property
  def kinds(self) -> tuple[str, ...]:
    """Of the row files: 'codes', 'ids', and 'relaxed' where it is kept."""
    return records.KINDS if self.settings.keep_relaxed else records.KINDS[:2]

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

  def query(self, statement: str, *values: Any) -> list[tuple]:
    """All rows of a SELECT."""
    with database.guarded(self.path):
      return self._reader.execute(statement, values).fetchall()

  def state(self) -> records.State:
    """How far the store is now, other programs' changes included."""
    generation, rows, removals = self.query(_STATE)[0]
    return records.State(generation, rows or 0, removals or 0)

  def next_id(self) -> int:
    """Greater than every id that ever was in the index."""
    return self.query("SELECT value FROM settings WHERE name = 'next_id'")[0][0]

  def rows(self, kind: str, state: records.State) -> np.ndarray:
    """All rows 'codes' [N, P], 'ids' [N, 1] or 'relaxed' [N, K] of `state`."""
    return self.file(kind, state.generation).read(state.rows)

  def add(
    self, batch: records.Batch, job: tuple[str, int, int] | None = None
  ) -> None:
    """Adds a batch; durable on return.

    Args:
      batch: at least one video.
      job: name, videos done with this batch and in all, of a long addition
        that can go on after an interruption; its name stays when it is done.

    Raises:
      UserError: metadata that JSON cannot hold, or the disk is full; nothing
        was added then.
    """
    state, next_id = self.state(), max(self.next_id(), int(batch.ids.max()) + 1)
    digests = self._write_rows(state.generation, state.rows, vars(batch))
    with database.transaction(self.path, self._writer) as connection:
      connection.execute(_INSERT, [state.rows, len(batch.ids), *digests])
      if batch.metadata is not None:
        catalogue.insert(connection, batch.ids.tolist(), batch.metadata)
      _set(connection, 'next_id', next_id)
      if job is not None:
        database.set_job(connection, *job)

  def _write_rows(
    self, generation: int, start: int, rows: Mapping[str, np.ndarray]
  ) -> list[str]:
    """Writes the rows of every kind; digests of codes, ids and t."""
    digests = {}
    for kind in self.kinds:
      values = rows[kind]
      file = self.file(kind, generation)
      digests[kind] = file.write(start, values.reshape(len(values), -1))
    return [digests.get(kind, '') for kind in records.KINDS]

  def remove(self, ids: np.ndarray, rows: np.ndarray) -> None:
    """Removes videos by id and row; durable on return."""
    with database.transaction(self.path, self._writer) as connection:
      connection.executemany(
        'INSERT INTO removed (row) VALUES (?)', [(x,) for x in rows.tolist()]
      )
      catalogue.delete(connection, ids)

  def compact(self, rows: np.ndarray) -> None:
    """Keeps these rows alone, in this order, and gives back their space."""
    state = self.state()
    old = {kind: self.rows(kind, state) for kind in self.kinds}
    batches = []
    for start in range(0, len(rows), _BLOCK):
      part = rows[start : start + _BLOCK]
      digests = self._write_rows(
        state.generation + 1, start, {kind: old[kind][part] for kind in old}
      )
      batches.append((start, len(part), *digests))
    with database.transaction(self.path, self._writer) as connection:
      connection.execute('DELETE FROM batches')
      connection.execute('DELETE FROM removed')
      connection.executemany(_INSERT, batches)
      _set(connection, 'generation', state.generation + 1)
    self._remove_orphans()

  def removed(self, after: int, last: int) -> np.ndarray:
    """Rows int64 of the removals after number `after`, up to `last`."""
    found = self.query(
      'SELECT row FROM removed WHERE number > ? AND number <= ?', after, last
    )
    return np.array([row for (row,) in found], np.int64)

  def metadata(self, ids: np.ndarray) -> dict[int, dict[str, Any]]:
    """Metadata by id, of those that have any."""
    with database.guarded(self.path):
      return catalogue.read(self._reader, ids)

  def matching(self, where: Mapping[str, Any]) -> np.ndarray:
    """Sorted ids of the videos whose metadata has all of `where`."""
    with database.guarded(self.path):
      return catalogue.matching(self._reader, where)

  def jobs(self) -> dict[str, tuple[int, int]]:
    """Videos done and in all of each addition that was interrupted."""
    rows = self.query('SELECT name, done, total FROM jobs WHERE done < total')
    return {name: (done, total) for name, done, total in rows}

  def finished(self) -> set[str]:
    """Names of the additions that are done."""
    rows = self.query('SELECT name FROM jobs WHERE done >= total')
    return {name for (name,) in rows}

  def batches(self, start: int = 0) -> list[tuple[int, int, str, str, str]]:
    """Start, count and digests of codes, ids, t of each batch from a row on."""
    return self.query(
      'SELECT * FROM batches WHERE start >= ? ORDER BY start', start
    )

  def names(self) -> list[str]:
    """Names that metadata in the index has or had."""
    return [name for (name,) in self.query('SELECT name FROM names')]

  def changed(self) -> bool:
    """Whether another program wrote since this was last asked."""
    version = self.query('PRAGMA data_version')[0][0]
    before, self._version = self._version, version
    return version != before

  def file(self, kind: str, generation: int) -> row_file.RowFile:
    """The file of 'codes', 'ids' or 'relaxed'."""
    bits = self.settings.num_bits
    dtype, width = {
      'codes': ('|u1', bits // 8), 'ids': ('<i8', 1), 'relaxed': ('<f2', bits)
    }[kind]  # fmt: skip
    path = self.directory / f'{kind}-{generation}.bin'
    return row_file.RowFile(path, dtype, width)

  def _remove_orphans(self) -> None:
    """Removes row files of other generations than the one that counts."""
    kept = {self.file(k, self.state().generation).path for k in records.KINDS}
    for kind in records.KINDS:
      for path in set(self.directory.glob(f'{kind}-*.bin')) - kept:
        path.unlink()


def _set(connection: sqlite3.Connection, name: str, value: int) -> None:
  connection.execute(
    'UPDATE settings SET value = ? WHERE name = ?', [value, name]
  )
