"""The videos that are in an index now: ids in order, and their codes."""

from __future__ import annotations

import numpy as np


class Live:
  """Ids in ascending order and the code of each, in memory.

  A position counts along the ids: engines that break ties by position break
  them by id.

  Attributes:
    moved: counts the changes other than additions behind all.
  """

  def __init__(self, num_bits: int):
    self.moved = 0
    self._ids, self._codes = _Rows(1, np.int64), _Rows(num_bits // 8, np.uint8)

  def __len__(self) -> int:
    return len(self._ids.values)

  @property
  def ids(self) -> np.ndarray:
    """int64 [n], ascending."""
    return self._ids.values[:, 0]

  @property
  def codes(self) -> np.ndarray:
    """uint8 [n, P], contiguous."""
    return self._codes.values

  def add(self, ids: np.ndarray, codes: np.ndarray) -> None:
    """Adds ids that are not there, in any order, with their codes."""
    if not len(ids):
      return
    behind = not len(self) or ids[0] > self.ids[-1]
    self._ids.append(ids[:, None])
    self._codes.append(codes)
    if not (behind and (ids[1:] > ids[:-1]).all()):
      self._keep(np.argsort(self.ids, kind='stable'))

  def remove(self, ids: np.ndarray) -> None:
    """Removes those of `ids` that are there."""
    positions, known = self.positions(ids)
    if known.any():
      kept = np.ones(len(self), bool)
      kept[positions[known]] = False
      self._keep(kept)

  def positions(self, ids: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Where `ids` are [n], and which of them are there at all, bool [n]."""
    positions = np.searchsorted(self.ids, ids)
    if not len(self):
      return positions, np.zeros(len(ids), bool)
    inside = np.minimum(positions, len(self) - 1)
    return positions, self.ids[inside] == ids

  def subset(self, ids: np.ndarray) -> Live:
    """Those of the sorted `ids` that are here."""
    positions, known = self.positions(ids)
    some = Live(8 * self.codes.shape[1])
    some.add(ids[known], self.codes[positions[known]])
    return some

  def _keep(self, rows: np.ndarray) -> None:
    self.moved += 1
    self._ids.values = self._ids.values[rows]
    self._codes.values = self._codes.values[rows]


class _Rows:
  """An array with room behind it, so that appending seldom copies it."""

  def __init__(self, width: int, dtype: type):
    self._room = np.empty((0, width), dtype)
    self._length = 0

  @property
  def values(self) -> np.ndarray:
    return self._room[: self._length]

  @values.setter
  def values(self, values: np.ndarray) -> None:
    self._room, self._length = values, len(values)

  def append(self, values: np.ndarray) -> None:
    length = self._length + len(values)
    if not self._length:
      # As it is: most indexes are opened to be searched.
      self.values = np.ascontiguousarray(values)
      return
    if length > len(self._room):
      room = np.empty((length + length // 8, values.shape[1]), values.dtype)
      room[: self._length] = self.values
      self._room = room
    self._room[self._length : length] = values
    self._length = length
