"""The videos that are in an index now: their ids in order, and their rows."""

from __future__ import annotations

import numpy as np


class Live:
  """Ids in ascending order, and the row of each in the files of codes.

  A position counts along the ids; engines that break ties by position break
  them by id.
  """

  def __init__(self) -> None:
    self._ids = _Growing()
    # None while every video's row is its position, the usual case.
    self._rows: np.ndarray | None = None

  def __len__(self) -> int:
    return len(self._ids.values)

  @property
  def ids(self) -> np.ndarray:
    """int64 [n], ascending."""
    return self._ids.values

  def rows(self, positions: np.ndarray) -> np.ndarray:
    """int64 [n], the rows of the videos at these positions."""
    return positions if self._rows is None else self._rows[positions]

  def all_rows(self) -> np.ndarray:
    """int64 [n], the row of each of `ids`."""
    return np.arange(len(self)) if self._rows is None else self._rows

  def add(self, ids: np.ndarray, rows: np.ndarray) -> np.ndarray | None:
    """Adds ids that are not there, at least one.

    Returns:
      None where all came behind those before; else the order that sorts old
      and new ones behind each other.
    """
    count = len(self)
    ordered = (ids[1:] > ids[:-1]).all() and (
      not count or ids[0] > self.ids[-1]
    )
    if self._rows is not None or not _follows(rows, count) or not ordered:
      self._rows = np.concatenate([self.all_rows(), rows])
    self._ids.append(ids)
    if ordered:
      return None
    order = np.argsort(self.ids, kind='stable')
    self._ids.values, self._rows = self.ids[order], self._rows[order]
    return order

  def remove(self, positions: np.ndarray) -> None:
    """Removes the videos at these positions."""
    rows = self.all_rows()
    self._rows = np.delete(rows, positions)
    self._ids.values = np.delete(self.ids, positions)

  def renumber(self) -> None:
    """The rows are written anew, in the order of the ids."""
    self._rows = None

  def positions(self, ids: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Where `ids` are [n], and which of them are there at all, bool [n]."""
    positions = np.searchsorted(self.ids, ids)
    if not len(self):
      return positions, np.zeros(len(ids), bool)
    inside = np.minimum(positions, len(self) - 1)
    return positions, self.ids[inside] == ids

  def positions_of_rows(self, rows: np.ndarray) -> np.ndarray:
    """Where the videos of these rows are, all of which have to be there."""
    if self._rows is None:
      return np.sort(rows)
    return np.flatnonzero(np.isin(self._rows, rows))


def _follows(rows: np.ndarray, count: int) -> bool:
  return rows[0] == count and rows[-1] - rows[0] == len(rows) - 1


class _Growing:
  """An array with room behind it, so that appending seldom copies it."""

  def __init__(self) -> None:
    self._room = np.empty(0, np.int64)
    self._length = 0

  @property
  def values(self) -> np.ndarray:
    return self._room[: self._length]

  @values.setter
  def values(self, values: np.ndarray) -> None:
    self._room, self._length = values, len(values)

  def append(self, values: np.ndarray) -> None:
    length = self._length + len(values)
    if length > len(self._room):
      # Exactly as much at first: most indexes are opened to be searched.
      spare = length // 8 if self._length else 0
      room = np.empty(length + spare, np.int64)
      room[: self._length] = self.values
      self._room = room
    self._room[self._length : length] = values
    self._length = length
