"""An engine and the live ids, kept up with a store."""

from __future__ import annotations

import numpy as np

from nph_jax import errors
from nph_jax.retrieval.indexing import engines, flat, records, row_file
from nph_jax.retrieval.indexing import live as live_lib
from nph_jax.retrieval.indexing import store as store_lib

_ATTEMPTS = 5


class LiveIndex:
  """What is searched: all that the store held at the last `catch_up`."""

  def __init__(self, store: store_lib.Store):
    self._store = store
    self._stale = False
    self._start()

  def _start(self) -> None:
    self.live = live_lib.Live()
    self._state = records.State()
    self._arrays: dict[str, np.ndarray] = {}
    store = self._store
    self.engine = engines.create(
      store.settings,
      self.live,
      self._everything,
      store.directory,
      store.read_only,
    )
    self._engine_state = self.engine.applied

  def close(self) -> None:
    """Lets the engine save what it wants to keep."""
    self.engine.close(self._engine_state, self._store.read_only)

  @property
  def is_stale(self) -> bool:
    """Whether a `catch_up` failed before `live` had all of the store."""
    return self._stale

  @property
  def is_behind(self) -> bool:
    """Whether the engine could not be told of everything."""
    return self._stale or self._engine_state != self._state

  def catch_up(self) -> None:
    """Applies what was added to and removed from the store since.

    Raises:
      UserError: the files are damaged, or the engine cannot be reached; `live`
        is up to date in the second case.
    """
    self._stale = True
    for _ in range(_ATTEMPTS):
      now = self._store.state()
      try:
        self._follow(now)
        return
      except errors.UserError:
        # A compaction may have replaced the files between the two steps.
        if self._store.state().generation == now.generation:
          raise
    raise errors.UserError(
      f'{self._store.directory}: changes faster than it can be read; try again.'
    )

  def renumbered(self) -> None:
    """Is told that the store was compacted and holds nothing new."""
    self.live.renumber()
    self._state = self._engine_state = self._store.state()
    self._open_arrays()
    self.engine.save(self._state)

  def _follow(self, now: records.State) -> None:
    if now == self._state == self._engine_state:
      self._stale = False
      return
    if now.generation != self._state.generation and self._arrays:
      self.close()
      self._start()
    if not self._engine_state.is_before(now):
      self.engine.reset()
      self._engine_state = records.State()
    since, self._state = self._state, now
    try:
      self._open_arrays()
      self._check_digests(since)
    except BaseException:
      self._state = since
      raise
    removed, added = self._changes(since)
    positions = self.live.positions_of_rows(removed)
    if len(removed):
      self.live.remove(positions)
    order = None
    if len(added):
      order = self.live.add(self._take('ids', added)[:, 0].copy(), added)
    self._stale = False
    self._tell_engine(positions, order)
    if since.rows == 0:
      # What was read to load it all would count as memory of this process.
      self._open_arrays()

  def _tell_engine(
    self, positions: np.ndarray, order: np.ndarray | None
  ) -> None:
    removed, added = self._changes(self._engine_state)
    if len(removed):
      self.engine.remove(self._arrays['ids'][removed, 0], positions)
    if len(added):
      ids, codes = self._take('ids', added)[:, 0], self._take('codes', added)
      self.engine.add(np.array(ids), codes, order)
    self._engine_state = self._state
    self.engine.save(self._state)

  def _changes(self, since: records.State) -> tuple[np.ndarray, np.ndarray]:
    """Rows that were live and are removed now, and new ones that are live."""
    removed = self._store.removed(since.removals, self._state.removals)
    added = np.arange(since.rows, self._state.rows)
    mask = np.ones(len(added), bool)
    mask[removed[removed >= since.rows] - since.rows] = False
    return removed[removed < since.rows], added[mask]

  def _open_arrays(self) -> None:
    # Kept open: a compaction elsewhere removes the files.
    self._arrays = {
      kind: self._store.rows(kind, self._state) for kind in self._store.kinds
    }

  def _take(self, kind: str, rows: np.ndarray) -> np.ndarray:
    if rows[-1] - rows[0] == len(rows) - 1:
      return self._arrays[kind][rows[0] : rows[-1] + 1]
    return self._arrays[kind][rows]

  def _everything(self) -> tuple[np.ndarray, np.ndarray]:
    rows = self.live.all_rows()
    return self.live.ids, np.ascontiguousarray(self._take('codes', rows))

  def _check_digests(self, since: records.State) -> None:
    for start, count, *digests in self._store.batches(since.rows):
      for kind, expected in zip(('codes', 'ids'), digests):
        rows = self._arrays[kind][start : start + count]
        if row_file.digest(np.ascontiguousarray(rows)) != expected:
          path = self._store.file(kind, self._state.generation).path
          raise row_file.damaged(path)

  def subset(self, ids: np.ndarray) -> flat.FlatEngine:
    """An exact engine over those of the sorted `ids` that are live."""
    positions, known = self.live.positions(ids)
    rows = self.live.rows(positions[known])
    some = live_lib.Live()
    engine = flat.FlatEngine(self._store.settings.num_bits, some)
    if len(rows):
      some.add(ids[known], rows)
      engine.add(ids[known], self._arrays['codes'][rows], None)
    return engine

  def values(self, kind: str, ids: np.ndarray) -> np.ndarray:
    """'codes' or 'relaxed' [n, ...] of ids that are live."""
    positions, _ = self.live.positions(ids)
    return np.array(self._arrays[kind][self.live.rows(positions)])
