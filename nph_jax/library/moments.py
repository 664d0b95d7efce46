"""Clips in long videos, by the codes of single frames.

To a hash function a frame is a video that stands still. So the codes of
segments are the library's own, whatever bundle it has.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from nph_jax import export
from nph_jax.index.segments import Clip


def still(frames: np.ndarray, num_frames: int) -> np.ndarray:
  """Frames [n, L] as n videos of one frame each, [n, M, L]."""
  return np.repeat(frames[:, None], num_frames, axis=1)


def clip(
  frames: np.ndarray, about: Mapping[str, Any], hasher: export.Hasher
) -> Clip:
  """What VideoIndex.moments looks for.

  Args:
    frames: [M, L] of the clip.
    about: its record: duration, and frame_times where they are known, seconds.
    hasher: of the index.
  """
  duration = float(about['duration'])
  centres = (np.arange(len(frames)) + 0.5) * duration / len(frames)
  times = np.asarray(about.get('frame_times', centres), np.float64)
  _, t = hasher.encode_relaxed(still(frames, hasher.num_frames))
  return Clip(t, times, duration)
