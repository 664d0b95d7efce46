"""A row a video: metadata, t and what its features are known by."""

from __future__ import annotations

import json
import sqlite3
import zlib
from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np

from nph_jax.index import errors, facets, records

_MANY = 500  # values to one SQL statement
_LISTED = 20  # names in a message; there may be one for each video


def insert(connection: sqlite3.Connection, batch: records.Batch) -> None:
  """Adds the rows of a batch, none for a video of which there is nothing.

  Raises:
    BadMetadata: JSON cannot hold it.
  """
  if all(values is None for values in batch[2:]):
    return
  videos, found, words = [], [], set()
  for number, video in enumerate(batch.ids.tolist()):
    about = batch.metadata[number] if batch.metadata is not None else {}
    text = facets.to_text(about, number)
    row = (*_of(batch, number), text)
    if row != (None, None, None):
      videos.append(_row(video, *row))
    if text:
      found += [(value, video) for value in facets.hashes(about)]
      words.update(map(str, about))
  found.sort()  # so that neighbours in the file are written together
  many = connection.executemany
  many('INSERT INTO videos VALUES (?, ?, ?, ?, ?)', videos)
  many('INSERT INTO facets VALUES (?, ?)', found)
  many('INSERT OR IGNORE INTO names VALUES (?)', [(word,) for word in words])


def replace(connection: sqlite3.Connection, batch: records.Batch) -> None:
  """Gives videos another t, and content where it is known; metadata stays."""
  old = {row[0]: row for row in _rows(connection, batch.ids)}
  rows = []
  for number, video in enumerate(batch.ids.tolist()):
    _, _, before, _, text = old.get(video, (None,) * 5)
    content, t = _of(batch, number)
    rows.append(_row(video, before if content is None else content, t, text))
  connection.executemany(
    'INSERT OR REPLACE INTO videos VALUES (?, ?, ?, ?, ?)', rows
  )


def delete(connection: sqlite3.Connection, ids: np.ndarray) -> None:
  """Removes the rows of these ids."""
  found = [
    (value, row[0])
    for row in _rows(connection, ids)
    for value in facets.hashes(json.loads(row[-1] or '{}'))
  ]
  connection.executemany('DELETE FROM facets WHERE hash = ? AND id = ?', found)
  connection.executemany(
    'DELETE FROM videos WHERE id = ?', ids[:, None].tolist()
  )


def metadata(
  connection: sqlite3.Connection, ids: np.ndarray
) -> dict[int, dict[str, Any]]:
  """Metadata by id, of those that have any.

  Raises:
    sqlite3.DatabaseError: a row is not as it was written.
  """
  found = _rows(connection, ids)
  return {row[0]: json.loads(row[-1]) for row in found if row[-1]}


def relaxed(connection: sqlite3.Connection, ids: np.ndarray) -> np.ndarray:
  """t float32 [n, K] of unique ids, all of which are there.

  Raises:
    sqlite3.DatabaseError: a row is missing or not as it was written.
  """
  rows = {row[0]: row[3] for row in _rows(connection, ids)}
  try:
    found = b''.join(rows[video] for video in ids.tolist())
  except (KeyError, TypeError) as error:
    raise sqlite3.DatabaseError(f't of id {error} is missing') from error
  values = np.frombuffer(found, np.float16).astype(np.float32)
  return values.reshape(len(ids), -1)


def check(connection: sqlite3.Connection) -> None:
  """Reads every row.

  Raises:
    sqlite3.DatabaseError: one is not as it was written.
  """
  for row in connection.execute('SELECT * FROM videos'):
    _checked(row)


def holders(
  connection: sqlite3.Connection, values: Iterable[int], column: str
) -> dict[int, list[int]]:
  """Ids by value, of those of `values` that any has.

  Args:
    connection: to the index.
    values: 64 bits each.
    column: 'content' of the features, or 'hash' of metadata.
  """
  table = {'content': 'videos', 'hash': 'facets'}[column]
  values = [value for value in set(values) if value is not None]
  found: dict[int, list[int]] = {}
  for value, video in _chunked(
    connection, f'SELECT {column}, id FROM {table} WHERE {column} IN', values
  ):
    found.setdefault(value, []).append(video)
  return found


def names(connection: sqlite3.Connection) -> list[str]:
  """Names that metadata in the index has or had, sorted."""
  return [name for (name,) in connection.execute('SELECT name FROM names')]


def matching(
  connection: sqlite3.Connection, where: Mapping[str, Any]
) -> np.ndarray:
  """Sorted ids int64 of the videos whose metadata has all of `where`.

  Raises:
    InvalidRequest: no video has metadata of such a name, or a value is not
      plain.
  """
  known = names(connection)
  for name, value in where.items():
    if name not in known:
      some, more = known[:_LISTED] or ['none'], len(known[_LISTED:])
      raise errors.InvalidRequest(
        f'filter {name}={value}: no video has metadata of that name; there '
        f'are: {", ".join(some)}{f" and {more:,} more" if more else ""}.'
      )
    if not facets.is_plain(value):
      raise errors.InvalidRequest(
        f'filter {name}={value}: is no text, number, true or false.'
      )
  statement = 'SELECT id FROM facets WHERE hash = ?'
  rows = connection.execute(
    ' INTERSECT '.join([statement] * len(where)) + ' ORDER BY id',
    [facets.hash_of(*pair) for pair in where.items()],
  )
  return np.fromiter((video for (video,) in rows), np.int64)


def _rows(connection: sqlite3.Connection, ids: np.ndarray) -> list[tuple]:
  rows = _chunked(connection, 'SELECT * FROM videos WHERE id IN', ids.tolist())
  return [_checked(row) for row in rows]


def _chunked(
  connection: sqlite3.Connection, statement: str, values: list[int]
) -> list[tuple]:
  # A list: a generator that is left at a damaged row would outlive its
  # connection.
  rows: list[tuple] = []
  for start in range(0, len(values), _MANY):
    some = values[start : start + _MANY]
    marks = ','.join('?' * len(some))
    rows += connection.execute(f'{statement} ({marks})', some)
  return rows


def _checked(row: tuple) -> tuple:
  video, _, *rest = row
  if _row(video, *rest) != row:
    raise sqlite3.DatabaseError(f'the row of id {video} is damaged')
  return row


def _row(
  video: int, content: int | None, t: bytes | None, text: str | None
) -> tuple:
  """A row of the table `videos`, with its checksum."""
  crc = zlib.crc32(f'{video} {content}'.encode())
  crc = zlib.crc32((text or '').encode(), zlib.crc32(t or b'', crc))
  return video, crc, content, t, text


def _of(batch: records.Batch, number: int) -> tuple[int | None, bytes | None]:
  """Content and t of a video of a batch."""
  contents, relaxed = batch.contents, batch.relaxed
  return (
    None if contents is None else int(contents[number]),
    None if relaxed is None else relaxed[number].tobytes(),
  )
