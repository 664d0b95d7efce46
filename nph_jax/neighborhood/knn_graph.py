"""SSVH's neighbour graph: from k nearest neighbours to their neighbours.

Each video has its K1 nearest of all by cosine, itself among them. The K2 videos
whose sets share most with its own give the union of their sets; i and j are
neighbours if either is in the other's union. Equally shared: the lower row
first (the original leaves it to an unstable sort).
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import scipy.sparse

NUM_NEAREST, NUM_SETS = 10, 5
_BLOCK_SIZE = 4096


def nearest_by_cosine(
  features: np.ndarray, num_nearest: int = NUM_NEAREST
) -> np.ndarray:
  """Rows of the nearest by cosine, itself among them: int64 [N, K1].

  Works in blocks; time N^2 L.

  Args:
    features: [N, L]; overwritten by their unit vectors, whose distances order
      as the cosines do. A row of zeros stays.
    num_nearest: K1, fewer where N is.
  """
  from sklearn import neighbors  # takes a second

  lengths = np.linalg.norm(features, axis=1, keepdims=True)
  features /= np.where(lengths > 0, lengths, 1)
  search = neighbors.NearestNeighbors(
    n_neighbors=min(num_nearest, len(features)), algorithm='brute'
  )
  return search.fit(features).kneighbors(features, return_distance=False)


def union_graph(
  nearest: np.ndarray, num_sets: int = NUM_SETS
) -> tuple[np.ndarray, np.ndarray]:
  """The symmetric graph of the neighbours of neighbours, row after row.

  Args:
    nearest: [N, K1].
    num_sets: K2.

  Returns:
    starts int32 [N + 1] and columns int32 [E]: the neighbours of video i are
    columns[starts[i] : starts[i + 1]], ascending.
  """
  count, size = nearest.shape
  rows = np.repeat(np.arange(count), size)
  sets = _incidence(rows, nearest.ravel(), count)
  similar = scipy.sparse.vstack(list(_most_shared(sets, num_sets)))
  union = (similar @ sets).astype(bool)
  graph = (union + union.T).tocsr()
  graph.sort_indices()
  return graph.indptr.astype(np.int32), graph.indices.astype(np.int32)


def _most_shared(
  sets: scipy.sparse.csr_array, num_sets: int
) -> Iterator[scipy.sparse.csr_array]:
  """The K2 rows of `sets` that share most with each, in blocks [B, N]."""
  transposed = sets.T.tocsr()
  for start in range(0, sets.shape[0], _BLOCK_SIZE):
    shared = (sets[start : start + _BLOCK_SIZE] @ transposed).tocoo()
    order = np.lexsort((shared.col, -shared.data, shared.row))
    rows, columns = shared.row[order], shared.col[order]
    first = np.searchsorted(rows, np.arange(shared.shape[0]))
    kept = np.arange(len(rows)) - first[rows] < num_sets
    yield _incidence(rows[kept], columns[kept], *shared.shape)


def _incidence(
  rows: np.ndarray, columns: np.ndarray, height: int, width: int | None = None
) -> scipy.sparse.csr_array:
  shape = (height, height if width is None else width)
  ones = np.ones(len(rows), np.int32)
  return scipy.sparse.csr_array((ones, (rows, columns)), shape=shape)
