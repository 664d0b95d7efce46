"""An index of videos by their codes: added, removed and searched, durably."""

from __future__ import annotations

import logging
import os
import pathlib
import threading
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from nph_jax import errors
from nph_jax.retrieval.indexing import (
  arguments,
  folder,
  reader,
  records,
)
from nph_jax.retrieval.indexing import store as store_lib

Hit = records.Hit

_LOG = logging.getLogger(__name__)
_DEAD = 10_000  # rows of removed videos that are not worth a compaction


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
      engine: of indexing.ENGINES.
      bundle_digest: of the hasher that makes its codes, `Hasher.digest`.
      keep_relaxed: keep t, two bytes a bit, for re-ranking.
      uri: of Milvus: a file, or a server's address; in the folder if None.
      job: as Store.add has it, of the videos that are to follow.

    Raises:
      UserError: something is there already, or a value is out of range.
    """
    arguments.creation(num_bits, engine, uri)
    settings = records.Settings(
      int(num_bits), engine, bundle_digest, int(keep_relaxed), uri
    )
    directory = pathlib.Path(directory)
    was_there = directory.exists()
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
      UserError: none is there, it is damaged or of a newer format, or, unless
        `read_only`, another program writes to it.
    """
    return cls(store_lib.Store(pathlib.Path(directory), read_only))

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
  ) -> np.ndarray:
    """Adds videos, all or nothing; durable on return.

    An engine that cannot be reached then is told by the next search.

    Args:
      codes: uint8 [n, K / 8].
      metadata: one dict for each video, None for none at all.
      relaxed: t [n, K], kept as float16; needed if the index keeps it.
      ids: int64 [n], of no video in the index; None counts on from the largest.
      job: as Store.add has it.

    Returns:
      The ids, int64 [n].

    Raises:
      UserError: anything does not fit the index or each other, an id is taken,
        or the disk is full; nothing was added then.
    """
    with self._writing:
      self._check_writable()
      batch = arguments.batch(codes, metadata, relaxed, ids, self._store)
      _, taken = self._live.live.positions(batch.ids)
      if taken.any():
        raise errors.UserError(
          f'{self._store.directory}: id {batch.ids[taken][0]} is in the index '
          'already; remove it first, or give another.'
        )
      if len(batch.ids):
        self._store.add(batch, job)
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
      positions, known = self._live.live.positions(ids)
      if known.any():
        self._store.remove(ids[known], self._live.live.rows(positions[known]))
        self._follow()
        self._compact_if_needed()
      return int(known.sum())

  def compact(self) -> None:
    """Gives back the space of removed videos; `remove` calls it when needed."""
    with self._writing, self._lock:
      self._check_writable()
      self._live.catch_up()
      self._store.compact(self._live.live.all_rows())
      self._live.renumbered()

  def _check_writable(self) -> None:
    if self._store.read_only:
      raise errors.UserError(
        f'{self._store.directory}: is open for reading only.'
      )
    if self._live.is_stale:  # else a taken id would not be known
      with self._lock:
        self._live.catch_up()

  def _follow(self) -> None:
    """Tells the engine what the store holds by now.

    A change that is durable does not fail with the engine: whoever made it
    would make it once more.
    """
    with self._lock:
      try:
        self._live.catch_up()
      except (errors.UserError, OSError) as error:
        _LOG.warning('Searches wait for a change that is durable: %s', error)

  def _compact_if_needed(self) -> None:
    rows, count = self._store.state().rows, len(self._live.live)
    if self._live.is_behind or rows <= max(2 * count, count + _DEAD):
      return
    try:
      self.compact()
    except (errors.UserError, OSError) as error:
      _LOG.warning('The space of removed videos is not given back: %s', error)
