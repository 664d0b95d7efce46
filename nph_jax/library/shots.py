"""How a video is cut: into parts of one length, or where what it shows changes.

A part has one frame, that in its middle. The second way is as good with fewer
of them (benchmarks/README.md, "Moments").
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

AUTO = 'auto'  # in place of seconds: from one change to the next
# Libraries are cut by these: with other values the name has to be another too.
SPACING = 0.4  # seconds between the frames that changes are looked for in
SAME = 0.9  # cosine with the first frame of a part, at least


class Parts(NamedTuple):
  """What a video shows.

  Attributes:
    seconds: the unit of `lengths`.
    frames: [n, L], of each part.
    lengths: int64 [n].
  """

  seconds: float
  frames: np.ndarray
  lengths: np.ndarray


def spacing(length: float | str | None) -> float | None:
  """Seconds between the frames that are needed; None where none are."""
  return SPACING if length == AUTO else length


def equal(seconds: float, frames: np.ndarray) -> Parts:
  """One part for each frame."""
  return Parts(seconds, frames, np.ones(len(frames), np.int64))


def cut(length: float | str, frames: np.ndarray) -> Parts:
  """Parts of a video.

  Args:
    length: seconds, or AUTO.
    frames: [m, L], `spacing` apart.
  """
  if length != AUTO:
    return equal(length, frames)
  unit = frames.astype(np.float32)
  unit /= np.maximum(np.linalg.norm(unit, axis=1, keepdims=True), 1e-9)
  starts = [0]
  for number in range(1, len(unit)):
    if unit[number] @ unit[starts[-1]] < SAME:
      starts.append(number)
  ends = np.array([*starts[1:], len(unit)])
  middles = (np.array(starts) + ends - 1) // 2
  return Parts(SPACING, frames[middles], ends - starts)
