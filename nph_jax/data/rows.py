"""Where stored videos come from: ranges of rows of files, or generated ones."""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Iterator
from typing import Protocol

import numpy as np

from nph_jax.data import blocks, labels, moving_digits, sources

BLOCK_BYTES = 16 << 20


class Rows(Protocol):
  """A split to be stored."""

  shape: sources.DataShape
  num_videos: int

  def read(self, start: int, stop: int) -> Iterator[tuple]:
    """Yields blocks of frames (B, M, L) float16 and labels (B, num_labels)."""


def video_bytes(shape: sources.DataShape) -> int:
  """Returns the bytes of one video's float16 frames."""
  return 2 * shape.num_frames * shape.feature_dim


def _ranges(
  shape: sources.DataShape, start: int, stop: int
) -> Iterator[tuple[int, int]]:
  size = max(1, BLOCK_BYTES // video_bytes(shape))
  for low in range(start, stop, size):
    yield low, min(low + size, stop)


@dataclasses.dataclass(frozen=True)
class FileRows:
  """Rows of feature files, with zeros for labels that are not there."""

  files: sources.SplitFiles
  shape: sources.DataShape
  num_videos: int

  @functools.cached_property
  def _labels(self) -> np.ndarray:
    if self.files.labels:
      return labels.read_labels(self.files.labels)
    return np.zeros((self.num_videos, self.shape.num_labels), np.uint8)

  def read(self, start: int, stop: int) -> Iterator[tuple]:
    with blocks.FeatureFiles(self.files.features) as features:
      for low, high in _ranges(self.shape, start, stop):
        yield features.read(low, high), self._labels[low:high]


@dataclasses.dataclass(frozen=True)
class DigitRows:
  """Rows of moving_digits."""

  split: str
  seed: int
  shape: sources.DataShape
  num_videos: int

  def read(self, start: int, stop: int) -> Iterator[tuple]:
    for low, high in _ranges(self.shape, start, stop):
      yield moving_digits.make_videos(
        self.split,
        low,
        high,
        seed=self.seed,
        num_frames=self.shape.num_frames,
        canvas=round(self.shape.feature_dim**0.5),
      )


def split_rows(
  spec: sources.DataSpec, shape: sources.DataShape, split: str
) -> Rows:
  """Returns the rows of one split of a checked spec; nothing is read yet."""
  number = shape.num_videos[split]
  if spec.name == 'moving_digits':
    return DigitRows(split, spec.seed, shape, number)
  return FileRows(spec.split(split), shape, number)
