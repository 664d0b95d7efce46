"""An engine and the live codes, kept up with a store."""

from __future__ import annotations

import contextlib

from nph_jax.index import asymmetric, engines, records
from nph_jax.index import live as live_lib
from nph_jax.index import store as store_lib


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
    self._state = records.State()
    self.live = live_lib.Live(self._store.settings.num_bits)
    self.scan = asymmetric.Scan(self.live)
    self.engine = engines.create(self._store, self.live, self._store.directory)

  def close(self) -> None:
    self.engine.close()

  def restart(self) -> None:
    """Forgets everything; the next `catch_up` reads it again."""
    with contextlib.suppress(Exception):
      self.engine.close()
    self._start()

  @property
  def is_behind(self) -> bool:
    """Whether the engine was not told of all that `live` has."""
    return self.engine.applied != self._state

  def catch_up(self, engine: bool = True) -> None:
    """Applies what was added to and removed from the store since.

    Args:
      engine: tell it too.

    Raises:
      Damaged: a batch is not as it was written.
      Unavailable: the engine cannot be reached; `live` is up to date then.
    """
    now = self._store.state()
    if now.generation != self._state.generation and self._state.generation >= 0:
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
    if engine and self.is_behind:
      if changes is None or changes.since != self.engine.applied:
        changes = self._store.changes(self.engine.applied)
      self.engine.follow(changes)

  def compacted(self) -> None:
    """Is told that the store was written anew and holds nothing new."""
    if self.engine.compacted(self._store.state()):
      self._state = self.engine.applied
    else:
      self.restart()
