"""Where stored videos come from: ranges of rows of files, or generated ones."""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Iterator

import numpy as np

from nph_jax.data import blocks, labels, moving_digits, sources

BLOCK_BYTES = 16 << 20


def video_bytes(shape: sources.DataShape) -> int:
  """Returns the bytes of one video's float16 frames."""
  return 2 * shape.num_frames * shape.feature_dim


@dataclasses.dataclass(frozen=True)
class Rows:
  """A split of a checked spec, to be stored."""

  spec: sources.DataSpec
  shape: sources.DataShape
  split: str

  @property
  def num_videos(self) -> int:
    """N of the split."""
    return self.shape.num_videos[self.split]

  @functools.cached_property
  def _labels(self) -> np.ndarray:
    files = self.spec.split(self.split).labels
    if files:
      return labels.read_labels(files)
    return np.zeros((self.num_videos, self.shape.num_labels), np.uint8)

  def read(self, start: int, stop: int) -> Iterator[tuple]:
    """Yields blocks of frames (B, M, L) float16 and labels (B, num_labels)."""
    size = max(1, BLOCK_BYTES // video_bytes(self.shape))
    ends = [(low, min(low + size, stop)) for low in range(start, stop, size)]
    if self.spec.name == 'moving_digits':
      for low, high in ends:
        yield moving_digits.make_videos(
          self.split,
          low,
          high,
          seed=self.spec.seed,
          num_frames=self.shape.num_frames,
          canvas=round(self.shape.feature_dim**0.5),
        )
    else:
      files = self.spec.split(self.split).features
      with blocks.FeatureFiles(files) as features:
        for low, high in ends:
          yield features.read(low, high), self._labels[low:high]
