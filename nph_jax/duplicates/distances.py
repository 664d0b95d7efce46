"""How far two videos are apart, aligned in time where one is longer.

With x and y the frames of two videos as signatures.py has them, laid on each
other in time, of n frames each:

  r = cosine of x - mean(x) and y - mean(y)   what happens when
  c = cosine of mean(x) and mean(y)           what is to be seen
  s = (3/4 (m r + (1 - m) c^3) + c / 4) sqrt(n / M)

Clips of one scene share c, copies alone share r. m is the product of both
videos' motion: r of a video in which nothing moves is noise, and c stands in
for it, cubed since strangers' is greater. The noise of r and c grows as n
falls, and the root makes up for it. The distance is 1 - s.

Both are laid on each other whole, as if one were faster; and where one may be a
part of the other, the shorter on the longer at its own speed at every place,
its frames mixtures of neighbours at the times of the longer's. The greatest s
counts.
"""

from __future__ import annotations

import functools
from typing import NamedTuple

import numpy as np

_WHOLE = 0.95  # of the longer: almost all of it is all
_STEPS = 100  # to which the ratio of lengths is rounded
_FEWEST = 4  # frames of the longer that a part has
_MOTION = 0.75  # of s
_STEADY = 1e-3  # of a mean square, below which a variance is rounding


class Distances:
  """Distances between videos of a library."""

  def __init__(
    self,
    frames: np.ndarray,
    motion: np.ndarray,
    durations: np.ndarray,
    own: np.ndarray | None = None,
  ):
    """Keeps no copy of the frames.

    Args:
      frames: int8 [N, M, P], of signatures.of.
      motion: [N], of the same.
      durations: [N] seconds; NaN where not known, which is not aligned.
      own: float32 [N, M^2], products of the frames of each, if known.
    """
    self._frames, self._motion = frames, motion
    self._durations = np.asarray(durations, np.float64)
    if own is None:
      own = np.empty((len(frames), frames.shape[1] ** 2), np.float32)
      for row, some in enumerate(frames):
        one = some.astype(np.float32)
        own[row] = (one @ one.T).ravel()
    self._own = own

  def among(self, rows: np.ndarray) -> Distances:
    """Of these videos alone."""
    return Distances(
      self._frames[rows],
      self._motion[rows],
      self._durations[rows],
      self._own[rows],
    )

  def of(self, i: np.ndarray, j: np.ndarray) -> np.ndarray:
    """Of each pair of rows, float32 [n]; 0 of the same frames."""
    swapped = self._durations[i] < self._durations[j]
    longer, shorter = np.where(swapped, j, i), np.where(swapped, i, j)
    x, y = (self._frames[k].astype(np.float32) for k in (longer, shorter))
    between = np.matmul(x, y.swapaxes(1, 2)).reshape(len(x), -1)
    products = between, self._own[longer], self._own[shorter]
    motion = (self._motion[i] * self._motion[j])[:, None]
    with np.errstate(divide='ignore', invalid='ignore'):
      ratios = self._durations[shorter] / self._durations[longer]
    ratios = np.round(ratios * _STEPS)
    num_frames = x.shape[1]
    found = _similarity(products, motion, _laid(num_frames, 1.0))
    may_be_part = ratios * num_frames >= _FEWEST * _STEPS
    may_be_part &= ratios < _WHOLE * _STEPS
    for ratio in np.unique(ratios[may_be_part]):
      some = ratios == ratio
      parts = _laid(num_frames, float(ratio) / _STEPS)
      similar = _similarity([x[some] for x in products], motion[some], parts)
      found[some] = np.maximum(found[some], similar)
    # Six digits are right; the same is the same.
    return np.round(np.maximum(1 - found, 0), 6)


class _Laid(NamedTuple):
  """How the longer and the shorter are laid on each other in O ways.

  Attributes:
    squares: [3, M^2, O]; the products of frames times these are the means of
      x y, x x and y y over the frames that meet.
    means: [3, M^2, O], those of the means of x and y.
    share: [O], the root of the share of frames that meet.
  """

  squares: np.ndarray
  means: np.ndarray
  share: np.ndarray


def _similarity(
  products: tuple[np.ndarray, ...], motion: np.ndarray, laid: _Laid
) -> np.ndarray:
  """s [B], the greatest.

  Args:
    products: [B, M^2] each, of frames of longer and shorter, of the longer's
      own, and of the shorter's.
    motion: [B, 1], m.
    laid: in which ways.
  """
  xy, xx, yy = map(np.matmul, products, laid.squares)
  both, x, y = map(np.matmul, products, laid.means)
  spread = np.maximum(xx - x, _STEADY * xx) * np.maximum(yy - y, _STEADY * yy)
  r = (xy - both) / np.sqrt(np.maximum(spread, 1e-9))
  c = both / np.sqrt(np.maximum(x * y, 1e-9))
  moving = motion * r + (1 - motion) * c**3
  return np.max((_MOTION * moving + (1 - _MOTION) * c) * laid.share, axis=1)


@functools.lru_cache(maxsize=_STEPS)
def _laid(num_frames: int, ratio: float) -> _Laid:
  """Ways to lay a video that lasts `ratio` of another on that."""
  centres = (np.arange(num_frames) + 0.5) / num_frames
  # Two of the shorter's frames a step.
  count = int(np.ceil((1 - ratio) * num_frames / ratio / 2)) + 1
  starts = np.linspace(0, 1 - ratio, max(count, 2) if ratio < 1 else 1)
  times = (centres - starts[:, None]) / ratio
  meets = (times >= 0) & (times < 1)
  places = np.clip(times * num_frames - 0.5, 0, num_frames - 1)
  grid = np.arange(num_frames)
  weights = np.maximum(1 - np.abs(places[..., None] - grid), 0)
  weights *= meets[..., None]
  meets, n = meets.astype(float), meets.sum(axis=1)
  x, y = meets / n[:, None], weights.sum(axis=1) / n[:, None]
  squares = (
    weights, meets[..., None] * np.eye(num_frames),
    weights.swapaxes(1, 2) @ weights,
  )  # fmt: skip
  means = [a[:, :, None] * b[:, None] for a, b in ((x, y), (x, x), (y, y))]
  flat = [
    np.stack([x.reshape(len(n), -1).T for x in some]).astype(np.float32)
    for some in ([x / n[:, None, None] for x in squares], means)
  ]
  return _Laid(*flat, np.sqrt(n / num_frames).astype(np.float32))
