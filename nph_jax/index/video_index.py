"""An index of videos by their codes: added, removed and searched, durably."""

from __future__ import annotations

import logging
import os
import pathlib
import threading
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np

from nph_jax.index import arguments, errors, folder, reader, records
from nph_jax.index import store as store_lib

_LOG = logging.getLogger(__name__)
_DEAD = 10_000  # codes of removed videos that are not worth a compaction
_ENTRIES = 5_000  # of the log, of which there may be so many


class VideoIndex(reader.Reader):
  """The index in a folder; a context manager, safe to use from many threads.

  Many programs may read it while one writes; readers follow the writer. An
  exact engine ranks by (distance, id).
  """

  def __init__(self, store: store_lib.Store):
    self._writing = threading.RLock()
    super().__init__(store)

  @classmethod
  def create(
    cls,
    directory: str | os.PathLike[str],
    num_bits: int,
    *,
    engine: str = 'flat',
    bundle_digest: str | None = None,
    keep_relaxed: bool = True,
    uri: str | None = None,
    job: tuple[str, int, int] | None = None,
  ) -> VideoIndex:
    """Makes an empty index in a new or empty folder and opens it.

    Args:
      directory: the folder.
      num_bits: K, a multiple of 8.
      engine: of index.ENGINES.
      bundle_digest: of the hasher that makes its codes, `Hasher.digest`.
      keep_relaxed: keep t, two bytes a bit, for re-ranking.
      uri: of Milvus: a file, or a server's address; in the folder if None.
      job: as Store.add has it, of the videos that are to follow.

    Raises:
      InvalidRequest: something is there already, or a value is out of range.
      Unavailable: the engine cannot be reached.
    """
    arguments.creation(num_bits, engine, uri)
    directory = pathlib.Path(directory)
    was_there = directory.exists()
    settings = records.Settings(
      int(num_bits), engine, bundle_digest, int(keep_relaxed), uri
    )
    folder.create(directory, settings, job)
    try:
      return cls.open(directory)
    except errors.UserError:  # no Milvus, say
      folder.clear(directory, keep=was_there)
      raise

  @classmethod
  def open(
    cls, directory: str | os.PathLike[str], *, read_only: bool = False
  ) -> VideoIndex:
    """Opens the index in a folder.

    Raises:
      InvalidRequest: none is there.
      Damaged: it is damaged or of another format.
      Unavailable: another program writes to it and it is not `read_only`.
    """
    return cls(store_lib.Store(pathlib.Path(directory), read_only))

  @staticmethod
  def restore(
    backup: str | os.PathLike[str], directory: str | os.PathLike[str]
  ) -> None:
    """Makes a folder with an index of a file that `backup` wrote; checks it.

    Raises:
      InvalidRequest: there is no backup, or something is in the folder.
      Damaged: the backup is not as it was written; no folder is left.
    """
    folder.restore(pathlib.Path(backup), pathlib.Path(directory))

  def __enter__(self) -> VideoIndex:
    return self

  def __exit__(self, *_: object) -> None:
    self.close()

  def close(self) -> None:
    """Closes the files; the index cannot be used afterwards."""
    with self._writing, self._lock:
      self._closing.close()

  def add(
    self,
    codes: np.ndarray,
    metadata: Sequence[Mapping[str, Any]] | None,
    relaxed: np.ndarray | None = None,
    ids: np.ndarray | None = None,
    job: tuple[str, int, int] | None = None,
    contents: np.ndarray | None = None,
    segments: Sequence[records.Segments | None] | None = None,
  ) -> np.ndarray:
    """Adds videos, all or nothing; durable on return.

    An engine that cannot be reached then is told by the next search.

    Args:
      codes: uint8 [n, K / 8].
      metadata: one dict for each video, None for none at all.
      relaxed: t [n, K], kept as float16; needed if the index keeps it.
      ids: int64 [n], of no video in the index; None counts on from the largest.
      job: as Store.add has it.
      contents: `facets.contents` of the features, int64 [n], by which `known`
        and `rehash` find the videos again; None if unknown.
      segments: of each video, by which `moments` finds clips, or None.

    Returns:
      The ids, int64 [n].

    Raises:
      InvalidRequest: anything does not fit the index or each other, or an id is
        taken; nothing was added then.
      Unavailable: the disk is full, say; nothing was added then.
    """
    with self._writing:
      self._check_writable()
      batch = arguments.batch(
        self._store, self.num_bits, ids, codes, relaxed, contents, metadata,
        segments,
      )  # fmt: skip
      _, taken = self._live.live.positions(batch.ids)
      if taken.any():
        raise errors.InvalidRequest(
          f'{self._store.directory}: id {batch.ids[taken][0]} is in the index '
          'already; remove it first, or give another.'
        )
      if len(batch.ids) or job:
        lists, _ = self._live.engine.lists(batch.codes)
        self._store.add(batch, lists, job)
        self._follow()
      return batch.ids

  def remove(self, ids: np.ndarray) -> int:
    """Removes videos; ids that are not there are passed over.

    Returns:
      How many were removed; durable on return.
    """
    with self._writing:
      self._check_writable()
      ids = np.unique(arguments.ids(ids))
      _, known = self._live.live.positions(ids)
      if known.any():
        self._store.remove(ids[known])
        self._follow()
      return int(known.sum())

  def rehash(
    self,
    batches: Iterable[tuple[np.ndarray, ...]],
    num_bits: int,
    bundle_digest: str | None = None,
  ) -> None:
    """Gives all videos the codes of another bundle; ids and metadata stay.

    Readers see the old or the new ones. Durable on return.

    Args:
      batches: ids int64 [n], codes uint8 [n, K' / 8], t [n, K'] or None, and
        contents int64 [n] or None, as of `add`; of every video once. Then None
        and segments, where videos have some.
      num_bits: K'.
      bundle_digest: of the bundle.

    Raises:
      InvalidRequest: a video is missing or there twice, or anything does not
        fit; nothing was changed then.
      Unavailable: the disk is full, say; nothing was changed then.
    """
    with self._writing:
      self._check_writable()
      arguments.creation(num_bits, self.engine, None)
      settings = {'num_bits': int(num_bits), 'bundle_digest': bundle_digest}
      checked = (
        arguments.batch(self._store, num_bits, *part) for part in batches
      )
      self._store.rehash(checked, self._live.live.ids, settings)
      self._follow()

  def compact(self) -> None:
    """Gives back the space of removed videos; `remove` calls it when needed."""
    with self._writing, self._lock:
      self._check_writable()
      with self._current(engine=True) as live:
        ids, codes = live.live.ids, live.live.codes
      self._store.compact(ids, codes, *live.engine.lists(codes, anew=True))
      live.engine.compacted(self._store.state())
      with self._current(engine=True):  # reads it back; no search has to
        pass

  def _check_writable(self) -> None:
    if self._store.read_only:
      raise errors.InvalidRequest(
        f'{self._store.directory}: is open for reading only.'
      )
    with self._current():  # else a taken id would not be known
      pass

  def _follow(self) -> None:
    """Tells the engine what the store holds by now, and tidies up.

    A change that is durable does not fail with the engine: whoever made it
    would make it once more.
    """
    try:
      with self._current(engine=True) as live:
        count = len(live.live)
      codes, entries = self._store.size()
    except (errors.UserError, OSError) as error:
      _LOG.warning('Searches wait for a change that is durable: %s', error)
      return
    if (
      codes - count > max(count, _DEAD)
      or entries > max(_ENTRIES, 2 * count // 1000)
      or live.engine.wants_lists()
    ):
      try:
        self.compact()
      except (errors.UserError, OSError) as error:
        _LOG.warning('The index is not compacted: %s', error)
