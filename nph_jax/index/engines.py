"""What searches: faiss over all codes, or over inverted lists of them.

Queries are spread over threads of our own, none of which waits by spinning.
OpenMP's do: faiss with two of them on a busy machine of two cores takes 50 to
100 ms for a query of 1 ms.
"""

from __future__ import annotations

import concurrent.futures
import contextlib
import functools
import os
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

import faiss
import numpy as np

from nph_jax.index import errors, records
from nph_jax.index import store as store_lib

if TYPE_CHECKING:
  from nph_jax.index import live as live_lib

_FEW = 10_000  # videos up to which no lists are worth it
_PROBED = 8  # one in so many lists is searched
_FEW_QUERIES = 8  # that are not worth another thread
_GROWTH = 4  # times as many videos as the lists were made for: made anew


class Flat:
  """Exact search over the codes of `live`, where they are.

  Attributes:
    applied: the state of the store that it holds.
  """

  def __init__(self, store: store_lib.Store, live: live_lib.Live):
    self._store, self._live = store, live
    self.applied = records.State()

  def follow(self, changes: records.Changes) -> None:
    """Applies changes that `live` has by now.

    Raises:
      Unavailable: it cannot be reached; `applied` is as before.
    """
    self.applied = changes.state

  def search(self, codes: np.ndarray, k: int) -> tuple[np.ndarray, np.ndarray]:
    """The nearest of each query, k at most the number of videos.

    Returns:
      Distances int32 [Q, k] and ids int64 [Q, k] by (distance, id), -1 where
      nothing was found.
    """
    return exact(self._live, codes, k)

  def lists(
    self, codes: np.ndarray, anew: bool = False
  ) -> tuple[np.ndarray | None, bytes | None]:
    """What the store keeps for the engine: a list a code, and what made them.

    Args:
      codes: uint8 [n, P], about to be stored.
      anew: they are all there are, and lists may be made to fit them.
    """
    del codes, anew
    return None, None

  def wants_lists(self) -> bool:
    """Whether lists should be made anew."""
    return False

  def compacted(self, state: records.State) -> None:
    """Is told that the store was written anew; it holds all of it."""

  def close(self) -> None:
    """Is told that it is not used any more."""


class Ivf(Flat):
  """An inverted file, for very large sets; exact up to 10,000 videos.

  The lists are chosen by the writer and kept in the store, so that no reader
  has to train. Which of the videos at the last distance are found, and whether
  a video is found at all, is up to chance.
  """

  def __init__(self, store: store_lib.Store, live: live_lib.Live):
    super().__init__(store, live)
    kept = store.noted('ivf')
    self._index = None if kept is None else _read(kept, store)

  def follow(self, changes: records.Changes) -> None:
    """Applies changes; see Flat."""
    if self._index is not None:
      if len(changes.removed):
        self._index.remove_ids(faiss.IDSelectorBatch(changes.removed))
      if len(changes.ids):
        rows = changes.codes, changes.ids, changes.lists.astype(np.int64)
        with one_openmp_thread():
          self._index.add_core(len(changes.ids), *map(faiss.swig_ptr, rows))
    self.applied = changes.state

  def search(self, codes: np.ndarray, k: int) -> tuple[np.ndarray, np.ndarray]:
    """The nearest of those that are found; see Flat."""
    if self._index is None:
      return super().search(codes, k)
    distances, ids = over_queries(
      lambda part: self._index.search(part, k), codes
    )
    # -1 and a distance beyond all also stand where nothing was found.
    distances[ids < 0] = np.iinfo(np.int32).max
    order = np.lexsort((ids, distances))
    ids = np.take_along_axis(ids, order, axis=1)
    distances = np.take_along_axis(distances, order, axis=1)
    return np.where(ids < 0, -1, distances), ids

  def lists(
    self, codes: np.ndarray, anew: bool = False
  ) -> tuple[np.ndarray | None, bytes | None]:
    """Lists of codes and the trained index without codes; see Flat."""
    index = self._index
    if anew:
      index = _train(codes) if len(codes) > _FEW else None
    if index is None:
      return None, None
    with one_openmp_thread():
      _, lists = index.quantizer.search(np.ascontiguousarray(codes), 1)
    kept = faiss.serialize_index_binary(index).tobytes() if anew else None
    return lists[:, 0].astype(np.int32), kept

  def wants_lists(self) -> bool:
    """Whether there are many more videos than the lists were made for."""
    made_for = self._index.nlist**2 if self._index is not None else 0
    return len(self._live) > max(_GROWTH * made_for, _FEW)


def create(store: store_lib.Store, live: live_lib.Live) -> Flat:
  """The engine that the settings of `store` name.

  Raises:
    Unavailable: it cannot be reached.
  """
  name = store.settings.engine
  if name.startswith('milvus'):
    from nph_jax.index import milvus

    return milvus.MilvusEngine(store, live)
  return {'flat': Flat, 'ivf': Ivf}[name](store, live)


def exact(
  live: live_lib.Live, codes: np.ndarray, k: int
) -> tuple[np.ndarray, np.ndarray]:
  """The nearest k, at most as many as there are, by (distance, id).

  Returns:
    Distances int32 [Q, k] and ids int64 [Q, k].
  """
  distances, positions = over_queries(
    lambda part: faiss.knn_hamming(part, live.codes, k), codes
  )
  return distances, live.ids[positions]


def _train(codes: np.ndarray) -> faiss.IndexBinaryIVF:
  """An inverted file of as many lists as each of them has videos."""
  num_bits, count = 8 * codes.shape[1], round(len(codes) ** 0.5)
  quantizer = faiss.IndexBinaryFlat(num_bits)
  index = faiss.IndexBinaryIVF(quantizer, num_bits, count)
  index.own_fields = True
  quantizer.this.disown()
  index.cp.max_points_per_centroid = 64
  index.cp.min_points_per_centroid = 1
  index.nprobe = max(1, count // _PROBED)
  with one_openmp_thread():
    index.train(np.ascontiguousarray(codes))
  return index


def _read(kept: bytes, store: store_lib.Store) -> faiss.IndexBinaryIVF:
  # faiss does not survive every damaged file: a digest comes first.
  content = store_lib.unsealed(kept)
  if content is None:
    raise errors.damaged(store.path, 'the lists of ivf are damaged')
  return faiss.deserialize_index_binary(np.frombuffer(content, np.uint8))


@contextlib.contextmanager
def one_openmp_thread() -> Iterator[None]:
  """faiss calls of this thread stay in it; other threads are left alone."""
  before = faiss.omp_get_max_threads()
  faiss.omp_set_num_threads(1)
  try:
    yield
  finally:
    faiss.omp_set_num_threads(before)


def over_queries(
  search: Callable[[np.ndarray], tuple[np.ndarray, ...]], queries: np.ndarray
) -> tuple[np.ndarray, ...]:
  """`search` of parts of `queries` [Q, P] in parallel, results concatenated."""
  count = min(_num_threads(), len(queries) // _FEW_QUERIES)
  if count < 2:
    with one_openmp_thread():
      return search(queries)
  parts = _pool().map(search, np.array_split(queries, count))
  return tuple(map(np.concatenate, zip(*parts)))


@functools.cache
def _num_threads() -> int:
  # Linux alone says which of them this process may use.
  ask = getattr(os, 'sched_getaffinity', None)
  return len(ask(0)) if ask else os.cpu_count() or 1


@functools.cache
def _pool() -> concurrent.futures.ThreadPoolExecutor:
  # OpenMP's number of threads is each calling thread's own.
  return concurrent.futures.ThreadPoolExecutor(
    _num_threads(), 'index', faiss.omp_set_num_threads, (1,)
  )
