"""The sizes that are measured, and made-up videos of them."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

WIDTH = 256  # of LSTMs, memory and anchors: D = H = Nb, section 4.1
NUM_ANCHORS, NUM_NEAREST = 2000, 3  # n and a, section 4.1
NUM_VIDEOS = 4096  # rows of the table of nearest anchors


class Size(NamedTuple):
  """B, M, L and K of a training step."""

  batch: int
  num_frames: int
  frame_dim: int
  num_bits: int


SIZES = {
  'fcvid': Size(128, 25, 4096, 64),
  'activitynet': Size(128, 30, 2048, 64),
  'moving_digits': Size(128, 25, 144, 32),
}
QUICK_SIZES = {'quick': Size(8, 3, 48, 16)}


def frames(num_videos: int, size: Size, seed: int = 0) -> np.ndarray:
  """Frames [N, M, L] float16, half of the values 0 as after a ReLU."""
  rng = np.random.default_rng(seed)
  shape = (num_videos, size.num_frames, size.frame_dim)
  values = rng.standard_normal(shape, np.float32)
  return np.maximum(values, 0).astype(np.float16)


def tables(
  seed: int = 0, num_nearest: int = NUM_NEAREST
) -> dict[str, np.ndarray]:
  """anchors [C, D] and anchor_indices [N, A], as training reads them."""
  rng = np.random.default_rng(seed)
  return {
    'anchors': rng.standard_normal((NUM_ANCHORS, WIDTH), np.float32),
    'anchor_indices': rng.integers(
      0, NUM_ANCHORS, (NUM_VIDEOS, num_nearest), np.int32
    ),
  }
