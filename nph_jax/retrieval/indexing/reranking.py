"""The head of a ranking ordered anew by the real-valued t."""

from __future__ import annotations

import numpy as np


def order(
  query: np.ndarray, found: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
  """Orders results by the cosine of their t and the query's.

  Args:
    query: t [K].
    found: t of the results [n, K], in the order that decides between equals.

  Returns:
    The order [n], and the cosines [n] by it, float64, 0 for a zero vector.
  """
  found, query = found.astype(np.float64), query.astype(np.float64)
  norms = np.linalg.norm(found, axis=1) * np.linalg.norm(query)
  cosines = found @ query / np.where(norms > 0, norms, 1)
  # In steps of 2^-24: equal vectors tie, however their products were added.
  cosines = np.rint(cosines * 2**24) / 2**24
  by_cosine = np.argsort(-cosines, kind='stable')
  return by_cosine, cosines[by_cosine]
