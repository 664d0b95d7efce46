"""faiss' exact search over all codes in memory."""

from __future__ import annotations

import faiss
import numpy as np

from nph_jax.retrieval.indexing import live as live_lib
from nph_jax.retrieval.indexing import records, threads


class FlatEngine:
  """Codes in the order of their ids, so that faiss breaks ties by id."""

  def __init__(self, num_bits: int, live: live_lib.Live):
    self.applied = records.State()
    self._live = live
    self._index = faiss.IndexBinaryFlat(num_bits)

  def __len__(self) -> int:
    return self._index.ntotal

  def add(
    self, ids: np.ndarray, codes: np.ndarray, order: np.ndarray | None
  ) -> None:
    """Adds codes [n, P]; `order` as Live.add returned it."""
    if order is not None:
      codes = np.concatenate([self._codes(), codes])[order]
      self._index.reset()
    self._index.add(np.ascontiguousarray(codes))

  def remove(self, ids: np.ndarray, positions: np.ndarray) -> None:
    """Removes the codes at `positions` of Live, before it does."""
    self._index.remove_ids(faiss.IDSelectorBatch(positions))

  def search(self, codes: np.ndarray, k: int) -> tuple[np.ndarray, np.ndarray]:
    """The nearest k, at most as many as there are, by (distance, id).

    Returns:
      Distances int32 [Q, k] and ids int64 [Q, k].
    """
    distances, positions = threads.over_queries(
      lambda part: self._index.search(part, k), codes
    )
    return distances, self._live.ids[positions]

  def reset(self) -> None:
    """Forgets all codes."""
    self._index.reset()

  def save(self, state: records.State) -> None:
    """Nothing: it is made from the store at each opening."""

  def close(self, state: records.State, read_only: bool) -> None:
    """Nothing."""

  def _codes(self) -> np.ndarray:
    flat = faiss.vector_to_array(self._index.xb)
    return flat.reshape(-1, self._index.code_size)
