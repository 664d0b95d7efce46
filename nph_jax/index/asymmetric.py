"""Ranking by t . b: the query keeps its real values, the videos their bits.

Among codes b in {-1, 1}^K the query's t says more than its signs: bits whose t
is near zero count for little. This is asymmetric distance computation (Jegou et
al., Product quantization for nearest neighbor search, PAMI 2011) with the
corners of the 4-cube as the centroids of each half byte, which faiss' FastScan
compares 32 codes at a time with. FastScan rounds, by a known amount: it is
asked for more until that cannot matter, and float64 orders what it found.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import faiss
import numpy as np

from nph_jax.index import engines

if TYPE_CHECKING:
  from nph_jax.index import live as live_lib

_FEW = 10_000  # codes that are all looked at
_SPARE = 50  # candidates beyond twice k
_BLOCK = 2**16  # codes


class Scan:
  """What ranks the codes of `live`, made when it is first asked."""

  def __init__(self, live: live_lib.Live):
    self._live = live
    self._index: faiss.IndexPQFastScan | None = None
    self._moved = live.moved

  def search(self, t: np.ndarray, k: int) -> list[np.ndarray]:
    """Positions of the k codes, or all, of greatest t . b for each query.

    Args:
      t: float32 [Q, K].
      k: at least 1.

    Returns:
      Positions int64 [k] for each query by (t . b, position), exactly.
    """
    count = len(self._live)
    k = min(k, count)
    if count <= _FEW or 4 * k > count:
      return [_best(self._live.codes, query)[:k] for query in t]
    self._follow()
    return list(engines.over_queries(lambda part: self._nearest(part, k), t)[0])

  def _nearest(self, t: np.ndarray, k: int) -> tuple[np.ndarray]:
    found = np.empty((len(t), k), np.int64)
    open_rows, depth = np.arange(len(t)), 2 * k + _SPARE
    while len(open_rows) and 2 * depth < len(self._live):
      scores, near = self._index.search(t[open_rows], depth)
      unfinished = []
      for row, score, rows in zip(open_rows, scores, near):
        exact = cosines(self._live.codes[rows], t[row])
        order = np.lexsort((rows, -exact))[:k]
        norm = np.linalg.norm(t[row].astype(np.float64)) * t.shape[1] ** 0.5
        # Nothing that was not returned can be as good as the last.
        if (score[-1] + _rounding(t[row])) < exact[order[-1]] * norm:
          found[row] = rows[order]
        else:
          unfinished.append(row)
      open_rows, depth = np.array(unfinished, int), 4 * depth
    for row in open_rows:
      found[row] = _best(self._live.codes, t[row])[:k]
    return (found,)

  def _follow(self) -> None:
    """Brings the packed codes up to those of `live`."""
    live = self._live
    if self._index is None or self._moved != live.moved:
      self._index = None
    have = 0 if self._index is None else self._index.ntotal
    with engines.one_openmp_thread():
      if len(live) - have > _FEW:
        self._index = _packed(live.codes)
      elif len(live) > have:
        self._index.add(_signs(live.codes[have:]).astype(np.float32))
    self._moved = live.moved


def cosines(codes: np.ndarray, t: np.ndarray) -> np.ndarray:
  """Cosines of t [K] and of codes [n, P] as -1 and 1, float64 [n].

  In steps of 2^-40: equal codes tie, however their products were added.
  """
  t = t.astype(np.float64)
  norm = np.linalg.norm(t) * len(t) ** 0.5
  products = _signs(codes) @ t / (norm or 1.0)
  return np.rint(products * 2.0**40) / 2.0**40


def _best(codes: np.ndarray, t: np.ndarray) -> np.ndarray:
  """Positions of all codes, the greatest t . b first."""
  scores = [
    cosines(codes[start : start + _BLOCK], t)
    for start in range(0, len(codes), _BLOCK)
  ]
  return np.argsort(-np.concatenate(scores), kind='stable')


def _signs(codes: np.ndarray) -> np.ndarray:
  return np.unpackbits(codes, axis=1) * 2.0 - 1


def _rounding(t: np.ndarray) -> float:
  """The most by which a score of FastScan is wrong.

  It keeps the products of each half byte as integers of 8 bits, whose sum has
  16; each is rounded to the nearest.
  """
  spans = 2 * np.abs(t.astype(np.float64)).reshape(-1, 4).sum(axis=1)
  if not spans.any():
    return np.inf  # faiss divides by zero
  steps = min(255 / spans.max(), 65535 / spans.sum())
  return 1.01 * len(spans) * 0.5 / steps


def _packed(codes: np.ndarray) -> faiss.IndexPQFastScan:
  """Codes [n, P] for FastScan, whose half bytes begin with the lower."""
  num_bits = 8 * codes.shape[1]
  corners = np.unpackbits(np.arange(16, dtype=np.uint8)[:, None], axis=1)[:, 4:]
  plain = faiss.IndexPQ(num_bits, num_bits // 4, 4, faiss.METRIC_INNER_PRODUCT)
  faiss.copy_array_to_vector(
    np.tile(corners * np.float32(2) - 1, (num_bits // 4, 1)).ravel(),
    plain.pq.centroids,
  )
  plain.is_trained = True
  faiss.copy_array_to_vector(((codes >> 4) | (codes << 4)).ravel(), plain.codes)
  plain.ntotal = len(codes)
  return faiss.IndexPQFastScan(plain)
