"""Everything that can be asked of an index without changing it."""

from __future__ import annotations

import contextlib
import logging
import os
import pathlib
import threading
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from nph_jax.index import (
  arguments,
  catalogue,
  database,
  errors,
  folder,
  live,
  searching,
  segments,
)
from nph_jax.index import store as store_lib
from nph_jax.index.records import Hit, Segments, State

_LOG = logging.getLogger(__name__)


class Reader:
  """An open index; safe to use from many threads.

  Whatever is asked is answered from one moment of the store.
  """

  def __init__(self, store: store_lib.Store):
    self._store = store
    self._lock = threading.RLock()
    self._bundle_in_use: str | None = None
    self._segments: tuple[State, dict[int, Segments]] = State(), {}
    with contextlib.ExitStack() as stack:
      stack.callback(store.close)
      with store.reading():
        self._live = live.LiveIndex(store)
        stack.callback(lambda: self._live.engine.close())
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

  @property
  def version(self) -> tuple[int, ...]:
    """Another one whenever videos, codes or metadata may have changed."""
    return tuple(self._store.state())

  def __len__(self) -> int:
    with self._current() as now:
      return len(now.live)

  def ids(self) -> np.ndarray:
    """Of all videos, int64 [n] in ascending order."""
    with self._current() as now:
      return now.live.ids.copy()

  def search(
    self,
    codes: np.ndarray,
    k: int | None,
    *,
    radius: int | None = None,
    where: Mapping[str, Any] | None = None,
    rank: str | None = None,
    rerank: int = 0,
    relaxed: np.ndarray | None = None,
  ) -> list[list[Hit]]:
    """The nearest videos of each query.

    Args:
      codes: uint8 [Q, K / 8].
      k: results at most; None for all within `radius`.
      radius: greatest distance in bits.
      where: metadata that a result has to have: equal, or a member of a list.
        Then the search is exact, whatever the engine.
      rank: 'hamming', by (distance, id), or 'asymmetric', by (t . b, id) over
        all codes b in {-1, 1}^K, whatever the engine. By default asymmetric
        where t is given, nothing is re-ranked and the engine is 'flat'.
      rerank: this many nearest, k at least, are ordered by the cosine of t
        instead, and the first k of those returned; 0 for none.
      relaxed: t of the queries [Q, K].

    Raises:
      InvalidRequest: codes of another length, a number out of range, metadata
        of a name that no video has, or a ranking without t.
      Unavailable: the engine is away, or the index is closed or has other codes
        than when its bundle was checked.
    """
    with self._current() as now:
      arguments.numbers(k, radius, rerank, self.num_bits)
      codes = self._checked(codes)
      rank, t = arguments.ranking(
        rank, rerank, relaxed, len(codes), self._store
      )
      ids = self._store.ask(catalogue.matching, where) if where else None
      scope = (max(k, rerank) if k else None, radius, ids)
      if rank == 'asymmetric':
        found = searching.by_t(now, codes, t, *scope)
      else:
        if not where:
          now.catch_up()
        found = searching.by_distance(now, codes, *scope)
      if rerank and len(near := searching.all_ids(found)):
        values = self._store.ask(catalogue.relaxed, near)
        found = searching.reranked(found, t, near, values)
      found = [result.first(k) for result in found]
      about = self._store.ask(catalogue.metadata, searching.all_ids(found))
    return [
      [
        Hit(video, distance, dict(about.get(video, {})), score)
        for distance, video, score in result.rows()
      ]
      for result in found
    ]

  def has_segments(self) -> bool:
    """Whether `moments` can find any."""
    with self._current():
      return self._store.ask(segments.are_there)

  def moments(
    self, clip: segments.Clip, k: int, where: Mapping[str, Any] | None = None
  ) -> list[Hit]:
    """The videos that a clip fits best, each with where it is in it.

    One without segments is compared as a whole, and has no start.

    Args:
      clip: what is looked for.
      k: results at most.
      where: as of `search`.

    Raises:
      InvalidRequest: t of another length, or as of `search`.
      Unavailable: as of `search`.
    """
    with self._current() as now:
      arguments.numbers(k, None, 0, self.num_bits)
      arguments.relaxed(clip.t, len(clip.times), self.num_bits)
      arguments.relaxed(clip.whole[None], 1, self.num_bits)
      self._checked(np.packbits(clip.t >= 0, axis=1))
      state = self._store.state()
      if self._segments[0] != state:
        found = self._store.ask(segments.read, self.num_bits)
        self._segments = state, found
      some = now.live.ids
      if where:
        some = self._store.ask(catalogue.matching, where)
      known = self._segments[1]
      has = np.fromiter(known, np.int64, len(known))
      without = np.setdiff1d(some, has, assume_unique=True)
      videos = {x: known[x] for x in np.intersect1d(some, has).tolist()}
      found = segments.find(videos, clip, k)
      found += searching.whole(now, clip, k, without)
      found = sorted(found, key=lambda x: (-x.score, x.id))[:k]
      about = self._metadata(np.array([x.id for x in found], np.int64))
    return [
      Hit(x.id, x.distance, known, x.score, x.start, x.end)
      for x, known in zip(found, about, strict=True)
    ]

  def search_arrays(
    self, codes: np.ndarray, k: int
  ) -> tuple[np.ndarray, np.ndarray]:
    """Distances int32 [Q, k] and ids int64 [Q, k], -1 where fewer than k are.

    Raises:
      InvalidRequest: codes of another length, or a k far beyond what is there.
      Unavailable: as of `search`.
    """
    with self._current(engine=True) as now:
      arguments.numbers(k, None, 0, self.num_bits)
      codes = self._checked(codes)
      arguments.padded(k, len(codes), len(now.live))
      return searching.arrays(now.engine.search, len(now.live), codes, k)

  def metadata(self, ids: Sequence[int]) -> list[dict[str, Any]]:
    """What was added with each of `ids`.

    Raises:
      UnknownVideo: an id is not in the index.
    """
    ids = arguments.ids(ids, unique=False)
    with self._current():
      self._positions(ids)
      return self._metadata(ids)

  def get(
    self, video: int
  ) -> tuple[np.ndarray, np.ndarray | None, dict[str, Any]]:
    """Code uint8 [K / 8], t float32 [K] or None, and metadata of an id.

    Raises:
      UnknownVideo: it is not in the index.
    """
    ids = arguments.ids([video])
    with self._current() as now:
      code = now.live.codes[self._positions(ids)[0]].copy()
      relaxed = None
      if self.keeps_relaxed:
        relaxed = self._store.ask(catalogue.relaxed, ids)[0]
      return code, relaxed, self._metadata(ids)[0]

  def items(
    self, *, start_after: int = -1, limit: int = 100
  ) -> list[tuple[int, dict[str, Any]]]:
    """Ids greater than `start_after` and their metadata, in order."""
    with self._current() as now:
      start = np.searchsorted(now.live.ids, start_after, 'right')
      ids = now.live.ids[start : start + limit]
      return list(zip(ids.tolist(), self._metadata(ids)))

  def known(
    self,
    contents: Sequence[int | None],
    files: Sequence[int | None] | None = None,
  ) -> list[list[int]]:
    """Ids of the same videos, for each of some; none for a new one.

    Args:
      contents: `facets.contents` of the features, None where unknown.
      files: `facets.file` of the metadata: the hash of the file's content that
        extraction made. Videos are the same that have either in common.
    """
    files = [None] * len(contents) if files is None else files
    with self._current():
      by_content = self._store.ask(catalogue.holders, contents, 'content')
      by_file = self._store.ask(catalogue.holders, files, 'hash')
    return [
      sorted({*by_content.get(content, ()), *by_file.get(file, ())})
      for content, file in zip(contents, files)
    ]

  def check_bundle(self, digest: str, num_bits: int) -> None:
    """Raises an InvalidRequest unless a bundle makes the codes that are here.

    Where the index does not know whose they are, it warns. Searches fail once
    the index has been rehashed with another one.
    """
    place = self._store.directory
    if num_bits != self.num_bits:
      raise errors.InvalidRequest(
        f'{place}: holds codes of {self.num_bits} bits, but the bundle makes '
        f'codes of {num_bits}; use the bundle that the index was built with.'
      )
    if self.bundle_digest is None:
      _LOG.warning(
        '%s: does not know which bundle made its codes; that it was %s is '
        'taken on trust.', place, digest,
      )  # fmt: skip
    elif self.bundle_digest != digest:
      raise errors.InvalidRequest(
        f'{place}: was built with the bundle {self.bundle_digest}, but this '
        f'one is {digest}; use that bundle, or build another index.'
      )
    self._bundle_in_use = self.bundle_digest

  def jobs(self) -> dict[str, tuple[int, int]]:
    """Videos done and in all of each addition that was interrupted."""
    jobs = self._store.jobs()
    return {name: (done, n) for name, (done, n) in jobs.items() if done < n}

  def finished(self) -> set[str]:
    """Names of the additions that had one and are done."""
    return self._store.jobs().keys() - self.jobs()

  def about(self) -> dict[str, Any]:
    """What there is to say of the index, for people and programs."""
    with self._current() as now:
      count, settings = len(now.live), self._store.settings
      files = (x for x in self._store.directory.iterdir() if x.is_file())
      return {
        'format': database.FORMAT,
        'videos': count,
        'num_bits': settings.num_bits,
        'engine': settings.engine,
        'uri': settings.uri,
        'bundle': settings.bundle_digest,
        'keeps_relaxed': self.keeps_relaxed,
        'metadata': self._store.ask(catalogue.names),
        'removed_not_compacted': self._store.size()[0] - count,
        'bytes': sum(path.stat().st_size for path in files),
        'interrupted': {
          name: f'{done} of {total} videos'
          for name, (done, total) in self.jobs().items()
        },
      }

  def verify(self) -> None:
    """Reads everything; raises a Damaged if it is not as it was written."""
    self._store.state()  # says so of a closed one
    folder.verify(self._store.directory)

  def backup(self, target: str | os.PathLike[str]) -> None:
    """Copies the index into one new file, whoever writes to it meanwhile."""
    folder.backup(self._store.directory, pathlib.Path(target))

  @contextlib.contextmanager
  def _current(self, engine: bool = False) -> Iterator[live.LiveIndex]:
    """What is live; with `engine`, it knows of all that too."""
    with self._lock, self._store.reading():
      self._live.catch_up(engine)
      yield self._live

  def _checked(self, codes: np.ndarray) -> np.ndarray:
    """Codes of queries, by the bundle that was checked, if one was."""
    codes = arguments.codes(codes, self.num_bits)
    if self._bundle_in_use not in (None, self.bundle_digest):
      raise errors.Unavailable(
        f'{self._store.directory}: was rehashed with the bundle '
        f'{self.bundle_digest}; go on with that one.'
      )
    return codes

  def _metadata(self, ids: np.ndarray) -> list[dict[str, Any]]:
    found = self._store.ask(catalogue.metadata, np.unique(ids))
    return [found.get(video, {}) for video in ids.tolist()]

  def _positions(self, ids: np.ndarray) -> np.ndarray:
    """Positions of ids, all of which have to be there."""
    positions, known = self._live.live.positions(ids)
    if not known.all():
      raise errors.UnknownVideo(
        f'{self._store.directory}: no video with id {ids[~known][0]}.'
      )
    return positions
