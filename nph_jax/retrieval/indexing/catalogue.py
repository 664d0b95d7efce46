"""Metadata in SQLite, found by id or by what it says."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from nph_jax import errors
from nph_jax.retrieval.indexing import facets

_MANY = 500  # values to one SQL statement
_LISTED = 20  # names in a message; there may be one for each video


def insert(
  connection: sqlite3.Connection,
  ids: Iterable[int],
  metadata: Sequence[Mapping[str, Any]],
) -> None:
  """Adds metadata of new ids.

  Raises:
    UserError: JSON cannot hold it.
  """
  videos, found, names = [], [], set()
  for number, (video, values) in enumerate(zip(ids, metadata)):
    text = facets.to_text(values, number)
    if text:
      videos.append((video, text))
      found += [(value, video) for value in facets.hashes(values)]
      names.update(map(str, values))
  found.sort()  # so that neighbours in the file are written together
  connection.executemany('INSERT INTO videos VALUES (?, ?)', videos)
  connection.executemany('INSERT INTO facets VALUES (?, ?)', found)
  connection.executemany(
    'INSERT OR IGNORE INTO names VALUES (?)', [(name,) for name in names]
  )


def delete(connection: sqlite3.Connection, ids: Iterable[int]) -> None:
  """Removes the metadata of these ids."""
  old = read(connection, ids)
  connection.executemany(
    'DELETE FROM facets WHERE hash = ? AND id = ?',
    [(value, video) for video in old for value in facets.hashes(old[video])],
  )
  connection.executemany(
    'DELETE FROM videos WHERE id = ?', [(video,) for video in old]
  )


def read(
  connection: sqlite3.Connection, ids: Iterable[int]
) -> dict[int, dict[str, Any]]:
  """Metadata by id, of those that have any."""
  ids, found = list(map(int, ids)), {}
  for start in range(0, len(ids), _MANY):
    some = ids[start : start + _MANY]
    marks = ','.join('?' * len(some))
    found.update(
      connection.execute(
        f'SELECT id, metadata FROM videos WHERE id IN ({marks})', some
      )
    )
  return {video: json.loads(text) for video, text in found.items()}


def matching(
  connection: sqlite3.Connection, where: Mapping[str, Any]
) -> np.ndarray:
  """Sorted ids int64 of the videos whose metadata has all of `where`.

  Raises:
    UserError: no video has metadata of such a name, or a value is not plain.
  """
  found = [_having(connection, name, where[name]) for name in where]
  result = found[0]
  for others in found[1:]:
    result = np.intersect1d(result, others, assume_unique=True)
  return result


def _having(
  connection: sqlite3.Connection, name: str, value: Any
) -> np.ndarray:
  names = [name for (name,) in connection.execute('SELECT name FROM names')]
  if name not in names:
    raise errors.UserError(
      f'filter {name}={value}: no video has metadata of that name; there are: '
      f'{_listed(names)}.'
    )
  if not facets.is_plain(value):
    raise errors.UserError(
      f'filter {name}={value}: is no text, number, true or false.'
    )
  rows = connection.execute(
    'SELECT id FROM facets WHERE hash = ? ORDER BY id',
    [facets.hash_of(name, value)],
  )
  return np.fromiter(_first(rows), np.int64)


def _listed(names: Sequence[str]) -> str:
  some = sorted(names)[:_LISTED]
  more = len(names) - len(some)
  return ', '.join(some or ['none']) + (f' and {more:,} more' if more else '')


def _first(rows: Iterable[tuple]) -> Iterator[int]:
  for (value,) in rows:
    yield value
