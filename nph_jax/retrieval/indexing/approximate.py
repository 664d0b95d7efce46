"""faiss' approximate searches: 'ivf' and 'multihash', for very large sets.

Results are ordered by (distance, id), but which of the videos at the last
distance are among them, and whether a video is found at all, is up to chance.
"""

from __future__ import annotations

import functools
import pathlib
from collections.abc import Callable

import faiss
import numpy as np

from nph_jax.retrieval.indexing import records, snapshot, threads

Everything = Callable[[], tuple[np.ndarray, np.ndarray]]

_EXACT = 10_000  # videos up to which one list holds all
_PROBED = 8  # one in so many lists is searched
_GROWTH = 4  # times as many videos as the lists were made for: made anew
_FLIPPED = 2  # bits in which a hash may differ from the query's


class ApproximateEngine:
  """An inverted file or multi-index hash, made anew as the set grows.

  Attributes:
    applied: the state of the store that the snapshot it began with was of.
  """

  def __init__(
    self, name: str, num_bits: int, everything: Everything, path: pathlib.Path
  ):
    """Reads the snapshot at `path` if there is one.

    Args:
      name: 'ivf' or 'multihash'.
      num_bits: K.
      everything: the ids and codes that are live.
      path: of the snapshot.
    """
    self._make = {'ivf': _ivf, 'multihash': _multihash}[name]
    self._num_bits, self._everything, self._path = num_bits, everything, path
    self._index, self.applied = snapshot.read(path, num_bits)
    # What faiss cannot remove stays, under the id -1.
    self._dead = 0
    if isinstance(self._index, faiss.IndexBinaryIDMap):
      self._dead = int((self._mapped() < 0).sum())
    self._made_for = len(self)

  def __len__(self) -> int:
    return 0 if self._index is None else self._index.ntotal - self._dead

  def add(
    self, ids: np.ndarray, codes: np.ndarray, order: np.ndarray | None
  ) -> None:
    """Adds codes [n, P]."""
    del order  # results are ordered by id when they are found
    grown = len(self) + len(ids)
    if grown > max(_GROWTH * self._made_for, _EXACT if self._made_for else 0):
      self._rebuild()
    else:
      self._index.add_with_ids(np.ascontiguousarray(codes), ids)

  def remove(self, ids: np.ndarray, positions: np.ndarray) -> None:
    """Removes ids."""
    del positions
    if not isinstance(self._index, faiss.IndexBinaryIDMap):
      self._index.remove_ids(faiss.IDSelectorBatch(ids))
      return
    mapped = self._mapped()
    mapped[np.isin(mapped, ids)] = -1
    self._dead += len(ids)

  def search(self, codes: np.ndarray, k: int) -> tuple[np.ndarray, np.ndarray]:
    """Distances and ids [Q, k] of those found, -1 where fewer were."""
    depth = k
    while True:
      search = functools.partial(self._index.search, k=depth)
      distances, ids = threads.over_queries(search, codes)
      # -1 and a distance beyond all also stand where nothing was found.
      distances[ids < 0] = np.iinfo(np.int32).max
      order = np.lexsort((ids, distances))
      ids = np.take_along_axis(ids, order, axis=1)[:, :k]
      enough = depth >= min(k + self._dead, self._index.ntotal)
      if enough or (ids[:, -1] >= 0).all():
        distances = np.take_along_axis(distances, order, axis=1)[:, :k]
        return np.where(ids < 0, -1, distances), ids
      depth = min(4 * depth, self._index.ntotal)

  def reset(self) -> None:
    """Forgets all codes."""
    self._index, self._made_for, self._dead = None, 0, 0

  def save(self, state: records.State) -> None:
    """Nothing: it is saved when it is closed."""

  def close(self, state: records.State, read_only: bool) -> None:
    """Writes the snapshot, unless the one there is of `state`."""
    if self._index is not None and not read_only and state != self.applied:
      snapshot.write(self._path, self._index, state)

  def _mapped(self) -> np.ndarray:
    """The ids of a multi-index hash by position, to be changed in place."""
    mapped = self._index.id_map
    return faiss.rev_swig_ptr(mapped.data(), mapped.size())

  def _rebuild(self) -> None:
    ids, codes = self._everything()
    with threads.one_openmp_thread():
      self._index = self._make(self._num_bits, codes)
      self._index.add_with_ids(codes, ids)
    self._made_for, self._dead = len(ids), 0


def _ivf(num_bits: int, codes: np.ndarray) -> faiss.IndexBinary:
  count = 1 if len(codes) <= _EXACT else round(len(codes) ** 0.5)
  quantizer = faiss.IndexBinaryFlat(num_bits)
  index = faiss.IndexBinaryIVF(quantizer, num_bits, count)
  index.own_fields = True
  quantizer.this.disown()
  index.cp.max_points_per_centroid = 64
  index.cp.min_points_per_centroid = 1
  index.nprobe = max(1, count // _PROBED)
  index.train(codes)
  return index


def _multihash(num_bits: int, codes: np.ndarray) -> faiss.IndexBinary:
  # About two videos to a hash, of 24 bits at most: it is looked up 301 times.
  width = min(max(int(np.log2(len(codes))) - 1, 4), 24, num_bits)
  index = faiss.IndexBinaryMultiHash(num_bits, num_bits // width, width)
  index.nflip = min(_FLIPPED, width)
  mapped = faiss.IndexBinaryIDMap(index)
  mapped.own_fields = True
  index.this.disown()
  return mapped
