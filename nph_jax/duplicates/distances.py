"""How far two videos are apart, aligned in time where one is longer.

1 - <v, v'> - <r, r'> of signatures. Where one video may be a part of the other,
r of the shorter, all of it, is compared with that of parts of the longer which
last as long, at every frame's distance, and the greatest product counts if it
is more than that of both whole. A part's frames lie between those of the whole
that are there, and are taken as mixtures of their neighbours.
"""

from __future__ import annotations

import functools

import numpy as np

# Of the longer. Almost all of it is all; of much less there are no frames.
_SHORTEST, _WHOLE = 0.15, 0.95
_STEPS = 100  # to which the ratio of lengths is rounded


class Distances:
  """Distances between videos of a library.

  Attributes:
    vectors: [N, P], of signatures.
  """

  def __init__(
    self,
    vectors: np.ndarray,
    num_frames: int,
    num_moments: int,
    durations: np.ndarray,
  ):
    """Keeps no copy of the vectors.

    Args:
      vectors: [N, P], of signatures.vectors.
      num_frames: M.
      num_moments: how many of P are v's.
      durations: [N] seconds; NaN where not known, which is not aligned.
    """
    self.vectors = vectors
    self._frames, self._moments = num_frames, num_moments
    self._durations = np.asarray(durations, np.float64)

  def among(self, rows: np.ndarray) -> Distances:
    """Of these videos alone."""
    return Distances(
      self.vectors[rows], self._frames, self._moments, self._durations[rows]
    )

  def of(self, i: np.ndarray, j: np.ndarray) -> np.ndarray:
    """Of each pair of rows, float32 [n]; 0 of the same vectors."""
    left, right = (self.vectors[rows].astype(np.float32) for rows in (i, j))
    found = np.sum((left - right) ** 2, axis=1) / 2
    swapped = self._durations[i] < self._durations[j]
    left[swapped], right[swapped] = right[swapped], left[swapped]
    lengths = np.sort([self._durations[i], self._durations[j]], axis=0)
    with np.errstate(divide='ignore', invalid='ignore'):
      ratios = np.round(lengths[0] / lengths[1] * _STEPS)
    may_be_part = (ratios >= _SHORTEST * _STEPS) & (ratios < _WHOLE * _STEPS)
    for ratio in np.unique(ratios[may_be_part]):
      some = ratios == ratio
      aligned = self._aligned(left[some], right[some], ratio / _STEPS)
      found[some] = np.minimum(found[some], aligned)
    return found

  def _aligned(
    self, longer: np.ndarray, shorter: np.ndarray, ratio: float
  ) -> np.ndarray:
    """Distances [B] with the best part of each longer video."""
    parts = _parts(self._frames, ratio)
    shape = len(longer), self._frames, -1
    whole, other = (x[:, self._moments :].reshape(shape)
                    for x in (longer, shorter))  # fmt: skip
    # [B, O, M P]: each part less its own mean, as long as the whole r is.
    cut = np.matmul(parts.reshape(-1, self._frames), whole)
    cut = cut.reshape(len(cut), len(parts), -1)
    lengths = np.linalg.norm(cut, axis=2)
    products = np.matmul(cut, other.reshape(len(cut), -1, 1))[..., 0]
    products *= np.linalg.norm(whole, axis=(1, 2))[:, None]
    best = np.max(products / np.maximum(lengths, 1e-9), axis=1)
    v = np.sum(longer[:, : self._moments] * shorter[:, : self._moments], axis=1)
    return 1 - v - best


@functools.lru_cache(maxsize=_STEPS)
def _parts(num_frames: int, ratio: float) -> np.ndarray:
  """Matrices [O, M, M] from a video's frames to those of its parts, centred.

  Args:
    num_frames: M, at the centres of as many equal segments.
    ratio: of the video that a part lasts.
  """
  count = max(2, int(np.ceil((1 - ratio) * num_frames)) + 1)
  starts = np.linspace(0, 1 - ratio, count)
  times = (np.arange(num_frames) + 0.5) / num_frames
  places = (starts[:, None] + ratio * times) * num_frames - 0.5
  places = np.clip(places, 0, num_frames - 1)
  grid = np.arange(num_frames)
  weights = np.maximum(1 - np.abs(places[..., None] - grid), 0)
  return (weights - weights.mean(axis=1, keepdims=True)).astype(np.float32)
