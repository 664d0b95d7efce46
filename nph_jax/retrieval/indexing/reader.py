"""Everything that can be asked of an index without changing it."""

from __future__ import annotations

import contextlib
import logging
import threading
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from nph_jax import errors
from nph_jax.retrieval.indexing import (
  arguments,
  checking,
  live_index,
  records,
  searching,
)
from nph_jax.retrieval.indexing import store as store_lib

_LOG = logging.getLogger(__name__)


class Reader:
  """An open index; safe to use from many threads."""

  def __init__(self, store: store_lib.Store):
    self._store = store
    self._lock = threading.RLock()
    with contextlib.ExitStack() as stack:
      stack.callback(store.close)
      self._live = live_index.LiveIndex(store)
      stack.callback(self._live.close)
      self._live.catch_up()
      self._closing = stack.pop_all()

  @property
  def num_bits(self) -> int:
    return self._store.settings.num_bits

  @property
  def engine(self) -> str:
    return self._store.settings.engine

  @property
  def uri(self) -> str | None:
    return self._store.settings.uri

  @property
  def bundle_digest(self) -> str | None:
    return self._store.settings.bundle_digest

  @property
  def keeps_relaxed(self) -> bool:
    return bool(self._store.settings.keep_relaxed)

  def __len__(self) -> int:
    with self._current() as live:
      return len(live.live)

  def search(
    self,
    codes: np.ndarray,
    k: int | None,
    *,
    radius: int | None = None,
    where: Mapping[str, Any] | None = None,
    rerank: int = 0,
    relaxed: np.ndarray | None = None,
  ) -> list[list[records.Hit]]:
    """The nearest videos of each query, by (distance, id).

    Args:
      codes: uint8 [Q, K / 8].
      k: results at most; None for all within `radius`.
      radius: greatest distance in bits.
      where: metadata that a result has to have: equal, or a member of a list.
        Then the search is exact, whatever the engine.
      rerank: this many nearest, k at least, are ordered by the cosine of t
        instead, and the first k of those returned; 0 for none.
      relaxed: t of the queries [Q, K], for re-ranking.

    Raises:
      UserError: codes of another length, a number out of range, metadata of a
        name that no video has, or re-ranking without t.
    """
    arguments.numbers(k, radius, rerank, self.num_bits)
    codes = arguments.codes(codes, self.num_bits)
    if rerank:
      relaxed = arguments.query_relaxed(relaxed, len(codes), self._store)
    with self._current(engine=not where) as live:
      ids = self._store.matching(where) if where else None
      depth = max(k, rerank) if k else None
      found = searching.ranked(live, codes, depth, radius, ids)
      if rerank:
        found = searching.reranked(live, found, relaxed)
      found = [tuple(values[:k] for values in result) for result in found]
      metadata = self._store.metadata(_all_ids(found))
    return [_hits(metadata, *result) for result in found]

  def search_arrays(
    self, codes: np.ndarray, k: int
  ) -> tuple[np.ndarray, np.ndarray]:
    """Distances int32 [Q, k] and ids int64 [Q, k], -1 where fewer than k are.

    Raises:
      UserError: codes of another length, or a k far beyond what is there.
    """
    arguments.numbers(k, None, 0, self.num_bits)
    codes = arguments.codes(codes, self.num_bits)
    with self._current(engine=True) as live:
      arguments.padded(k, len(codes), len(live.live))
      return searching.arrays(live.engine, len(live.live), codes, k)

  def metadata(self, ids: Sequence[int]) -> list[dict[str, Any]]:
    """What was added with each of `ids`.

    Raises:
      UserError: an id is not in the index.
    """
    ids = arguments.ids(ids, unique=False)
    with self._current():
      self._check_known(ids)
      found = self._store.metadata(np.unique(ids))
    return [found.get(video, {}) for video in ids.tolist()]

  def get(
    self, video: int
  ) -> tuple[np.ndarray, np.ndarray | None, dict[str, Any]]:
    """Code uint8 [K / 8], t float32 [K] or None, and metadata of an id.

    Raises:
      UserError: it is not in the index.
    """
    ids = arguments.ids([video])
    with self._current() as live:
      self._check_known(ids)
      relaxed = None
      if self.keeps_relaxed:
        relaxed = live.values('relaxed', ids)[0].astype(np.float32)
      metadata = self._store.metadata(ids).get(int(ids[0]), {})
      return live.values('codes', ids)[0], relaxed, metadata

  def items(
    self, *, start_after: int = -1, limit: int = 100
  ) -> list[tuple[int, dict[str, Any]]]:
    """Ids greater than `start_after` and their metadata, in order."""
    with self._current() as live:
      start = np.searchsorted(live.live.ids, start_after, 'right')
      ids = live.live.ids[start : start + limit].copy()
      found = self._store.metadata(ids)
    return [(video, found.get(video, {})) for video in ids.tolist()]

  def check_bundle(self, digest: str, num_bits: int) -> None:
    """Raises a UserError unless a bundle makes the codes that are here.

    Where the index does not know whose they are, it warns.
    """
    if num_bits != self.num_bits:
      raise errors.UserError(
        f'{self._store.directory}: holds codes of {self.num_bits} bits, but '
        f'the bundle makes codes of {num_bits}; use the bundle that the index '
        'was built with.'
      )
    if self.bundle_digest is None:
      _LOG.warning(
        '%s: does not know which bundle made its codes; that it was %s is '
        'taken on trust.',
        self._store.directory,
        digest,
      )
    elif self.bundle_digest != digest:
      raise errors.UserError(
        f'{self._store.directory}: was built with the bundle '
        f'{self.bundle_digest}, but this one is {digest}; use that bundle, or '
        'build another index.'
      )

  def jobs(self) -> dict[str, tuple[int, int]]:
    """Videos done and in all of each addition that was interrupted."""
    return self._store.jobs()

  def finished(self) -> set[str]:
    """Names of the additions that had one and are done."""
    return self._store.finished()

  def about(self) -> dict[str, Any]:
    """What there is to say of the index."""
    return checking.about(self._store, len(self))

  def verify(self) -> None:
    """Reads everything; raises a UserError if a file is damaged."""
    checking.verify(self._store)

  @contextlib.contextmanager
  def _current(self, engine: bool = False) -> Iterator[live_index.LiveIndex]:
    """What is live; with `engine`, it knows of all that too."""
    with self._lock:
      changed = self._store.read_only and self._store.changed()
      behind = self._live.is_behind if engine else self._live.is_stale
      if changed or behind:
        self._live.catch_up()
      yield self._live

  def _check_known(self, ids: np.ndarray) -> None:
    _, known = self._live.live.positions(ids)
    if not known.all():
      raise errors.UserError(
        f'{self._store.directory}: no video with id {ids[~known][0]}.'
      )


def _all_ids(found: list[tuple[np.ndarray, ...]]) -> np.ndarray:
  # An empty list would make them floats, which end to be exact at 2^53.
  none = np.empty(0, np.int64)
  return np.unique(np.concatenate([none, *(ids for _, ids, *_ in found)]))


def _hits(
  metadata: Mapping[int, dict[str, Any]],
  distances: np.ndarray,
  ids: np.ndarray,
  cosines: np.ndarray | None = None,
) -> list[records.Hit]:
  scores = [None] * len(ids) if cosines is None else cosines.tolist()
  return [
    records.Hit(video, distance, dict(metadata.get(video, {})), score)
    for video, distance, score in zip(ids.tolist(), distances.tolist(), scores)
  ]
