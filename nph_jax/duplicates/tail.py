"""How near two videos come that have nothing to do with each other.

The distances of random pairs of a library are a sample of that, but for the few
pairs that do belong together: of N videos, a share of about g / N of all pairs
where a video has g relatives. So the model is fitted beside those, where it is
common for two videos to be so near, and carried on to where it is rare: an
exponential tail (Balkema and de Haan, 1974; Pickands, 1975), its quantiles a
straight line

  d(p) = location + scale log(p)

through the sample's quantiles from p = RELATIVES / N to COMMON, by least
squares. A normal tail ends too soon: distances of videos of a few subjects are
a mixture, whose tail is that of its nearest parts.
"""

from __future__ import annotations

import dataclasses

import numpy as np

RELATIVES = 5  # of a video, that a random sample may hold
COMMON = 0.1  # the share of pairs up to which the line is fitted
_SEEN = 20  # pairs that a quantile has to rest on
_POINTS = 30


@dataclasses.dataclass(frozen=True)
class Tail:
  """The model.

  Attributes:
    location: the line's value at p = 1.
    scale: its slope, 0 or more.
  """

  location: float
  scale: float

  def radius(self, false_pairs: float, num_videos: int) -> float:
    """Within which so many false pairs of a library are expected.

    Args:
      false_pairs: above 0.
      num_videos: N, with N (N - 1) / 2 pairs.
    """
    share = min(false_pairs / max(_pairs(num_videos), 1), 1)
    return float(self.location + self.scale * np.log(share))

  def false_pairs(self, radius: float, num_videos: int) -> float:
    """How many false pairs are expected within a radius."""
    if not self.scale:
      return float(_pairs(num_videos)) * (radius >= self.location)
    score = min((radius - self.location) / self.scale, 0)
    return float(_pairs(num_videos) * np.exp(score))


def fit(distances: np.ndarray, num_videos: int) -> Tail:
  """The model of a library.

  Args:
    distances: [n], of pairs drawn at random.
    num_videos: N, of the library, 20 or more.
  """
  low = max(RELATIVES / num_videos, _SEEN / len(distances))
  high = max(COMMON, min(0.5, 3 * low))
  shares = np.geomspace(low, high, _POINTS)
  nearest = np.quantile(distances, shares)
  scale, location = np.polyfit(np.log(shares), nearest, 1)
  return Tail(float(location), max(float(scale), 0.0))


def _pairs(num_videos: int) -> int:
  return num_videos * (num_videos - 1) // 2
