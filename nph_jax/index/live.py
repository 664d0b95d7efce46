"""The videos that are in an index now: ids in order, and their codes."""

from __future__ import annotations

import contextlib

import numpy as np

from nph_jax.index import asymmetric, engines
from nph_jax.index import store as store_lib
from nph_jax.index.records import State


class Live:
  """Ids in ascending order and the code of each, in memory.

  A position counts along the ids: engines that break ties by position break
  them by id.

  Attributes:
    ids: int64 [n], ascending.
    codes: uint8 [n, P], contiguous.
    moved: counts the changes other than additions behind all.
  """

  def __init__(self, num_bits: int):
    self.moved = 0
    self.ids = np.empty(0, np.int64)
    self.codes = np.empty((0, num_bits // 8), np.uint8)

  def __len__(self) -> int:
    return len(self.ids)

  def add(self, ids: np.ndarray, codes: np.ndarray) -> None:
    """Adds ids that are not there, in any order, with their codes."""
    if not len(ids):
      return
    behind = not len(self) or ids[0] > self.ids[-1]
    self.ids, self.codes = _joined(self.ids, ids), _joined(self.codes, codes)
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
    self.ids, self.codes = self.ids[rows], self.codes[rows]


def _joined(before: np.ndarray, values: np.ndarray) -> np.ndarray:
  """Both, with room behind them, so that appending seldom copies all."""
  if not len(before):
    # As it is, where it is nobody else's: most are opened to be searched.
    return np.require(values, requirements=['C', 'OWNDATA'])
  length, room = len(before) + len(values), before.base
  if room is None or length > len(room):
    room = np.empty((length + length // 8, *values.shape[1:]), values.dtype)
    room[: len(before)] = before
  room[len(before) : length] = values
  return room[:length]


class LiveIndex:
  """What is searched: all that the store held at the last `catch_up`.

  Attributes:
    live: ids and codes.
    engine: what searches them by distance.
    scan: what ranks them by t.
  """

  def __init__(self, store: store_lib.Store):
    self._store = store
    self._start()

  def _start(self) -> None:
    # Of the same moment as the rest: a rehash changes the length of codes.
    self._store.settings = self._store.read_settings()
    live = Live(self._store.settings.num_bits)
    # First, as it may fail; the next `catch_up` then tries again.
    self.engine = engines.create(self._store, live)
    self.live, self.scan = live, asymmetric.Scan(live)
    self._state = State()

  def restart(self) -> None:
    """Forgets everything; the next `catch_up` reads it again."""
    with contextlib.suppress(Exception):
      self.engine.close()
    self._start()

  def catch_up(self, engine: bool = True) -> None:
    """Applies what was added to and removed from the store since.

    Args:
      engine: tell it too.

    Raises:
      Damaged: an entry is not as it was written.
      Unavailable: the engine cannot be reached; `live` is up to date then.
    """
    now = self._store.state()
    if now.generation != self._state.generation and self._state != State():
      self.restart()
    changes = None
    if now != self._state:
      changes = self._store.changes(self._state)
      try:
        self.live.remove(changes.removed)
        self.live.add(changes.ids, changes.codes)
      except BaseException:
        self.restart()  # half of it may be there
        raise
      self._state = now
    if engine and self.engine.applied != self._state:
      if changes is None or changes.since != self.engine.applied:
        changes = self._store.changes(self.engine.applied)
      self.engine.follow(changes)
