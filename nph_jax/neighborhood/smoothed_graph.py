"""A smoothed graph of nearest neighbours, and products with it.

Each video is joined to its k nearest by cosine, either way round: E in {0, 1},
symmetric, without loops, of degrees d. Normalised and smoothed by two steps,

  A = D^-1/2 E D^-1/2,    S = (A A + A) / 2,

S_ij counts neighbours and those of neighbours. The spectrum of A is within
[-1, 1], that of S within [-1/8, 1].

Memory: A is sparse, N k to 2 N k entries. S is never made, only products with
it; no array is N x N. Time N^2 L for the neighbours.
"""

from __future__ import annotations

import numpy as np
import scipy.sparse

_QUERY_BLOCK = 4096  # queries
_COLUMN_BLOCK = 32
_ROW_BLOCK = 8192


def nearest_by_cosine(features: np.ndarray, num_nearest: int) -> np.ndarray:
  """Rows of the nearest other videos by cosine, int32 [N, k].

  Args:
    features: [N, L]; a row of zeros has the cosine 0 with all.
    num_nearest: k, below N.
  """
  import faiss  # takes a while

  unit = unit_rows(features)
  index = faiss.IndexFlatIP(unit.shape[1])
  index.add(unit)
  nearest = np.empty((len(unit), num_nearest), np.int32)
  for start in range(0, len(unit), _QUERY_BLOCK):
    rows = slice(start, start + _QUERY_BLOCK)
    _, found = index.search(unit[rows], num_nearest + 1)
    nearest[rows] = _without_self(found, start)
  return nearest


def unit_rows(features: np.ndarray) -> np.ndarray:
  """A float32 copy of [N, L] with rows of length one; zeros stay."""
  lengths = np.linalg.norm(features, axis=1, keepdims=True)
  unit = features / np.where(lengths > 0, lengths, 1)
  return np.ascontiguousarray(unit, np.float32)


def _without_self(found: np.ndarray, first: int) -> np.ndarray:
  """[B, k + 1] less each row's own number, else less its last: [B, k]."""
  own = np.arange(first, first + len(found))[:, None]
  # Among many equal videos a video may not find itself.
  missing = (found != own).all(axis=1)
  keep = found != own
  keep[missing, -1] = False
  return found[keep].reshape(len(found), -1)


def normalized(nearest: np.ndarray) -> scipy.sparse.csr_array:
  """A of the neighbours [N, k], float32 [N, N]."""
  count, size = nearest.shape
  starts = np.arange(0, count * size + 1, size)
  ones = np.ones(nearest.size, np.float32)
  directed = scipy.sparse.csr_array(
    (ones, nearest.ravel(), starts), shape=(count, count)
  )
  edges = directed.maximum(directed.T).tocsr()
  scale = 1 / np.sqrt(np.diff(edges.indptr)).astype(np.float32)
  rows = np.repeat(scale, np.diff(edges.indptr))
  edges.data *= rows * scale[edges.indices]
  return edges


def quadratic_form(graph: scipy.sparse.csr_array, x: np.ndarray) -> np.ndarray:
  """X^T S X, float64 [P, P], exactly symmetric.

  Args:
    graph: A.
    x: X, [N, P].
  """
  form = np.zeros((x.shape[1],) * 2)
  for start in range(0, x.shape[1], _COLUMN_BLOCK):
    columns = slice(start, start + _COLUMN_BLOCK)
    smooth = times(graph, x[:, columns].astype(np.float64))
    for first in range(0, len(x), _ROW_BLOCK):
      rows = slice(first, first + _ROW_BLOCK)
      form[:, columns] += x[rows].T.astype(np.float64) @ smooth[rows]
  return (form + form.T) / 2


def times(graph: scipy.sparse.csr_array, x: np.ndarray) -> np.ndarray:
  """S x, for A and x [N, ...]."""
  once = graph @ x
  return (graph @ once + once) / 2
