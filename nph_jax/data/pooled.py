"""Pooled videos, block by block: what the shallow methods learn from.

A video's feature is the mean over its frames, unless another pooling is asked
for. The N x L matrix of them is whole in memory only where N < L; each pass
reads the split once.
"""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from nph_jax.data import progress

_BLOCK_SIZE = 128


@dataclasses.dataclass(frozen=True)
class PooledFeatures:
  """The pooled features of a split's videos, and their first two moments.

  Attributes:
    read: starts a pass: float32 [B, L], all videos in row order.
    num_videos: N.
    dim: L.
    read_frames: starts a pass over the frames themselves, [B, M, L]; None
      where another pooling is never asked for.
  """

  read: Callable[[], Iterator[np.ndarray]]
  num_videos: int
  dim: int
  read_frames: Callable[[], Iterator[np.ndarray]] | None = None

  def pooled_by(
    self, pool: Callable[[np.ndarray], np.ndarray], dim: int
  ) -> PooledFeatures:
    """The same videos with `pool` of their frames for the mean.

    Args:
      pool: frames [B, M, L] to features [B, dim].
      dim: the new width.
    """

    def read() -> Iterator[np.ndarray]:
      return map(pool, self.read_frames())

    return PooledFeatures(read, self.num_videos, dim, self.read_frames)

  def blocks(self) -> Iterator[np.ndarray]:
    """One pass: float32 [B, L], in row order; row = number of the video."""
    with progress.bar('pooling', self.num_videos, 'video') as bar:
      for block in self.read():
        yield block
        bar.update(len(block))

  @property
  def mean(self) -> np.ndarray:
    """Of all videos, float64 [L]."""
    return self._few[0] if self.are_few else self._moments[0]

  @property
  def covariance(self) -> np.ndarray:
    """Of all videos, divided by N, float64 [L, L]; 134 MB for L = 4096."""
    return self._moments[1]

  @property
  def are_few(self) -> bool:
    """Whether all videos take less than their covariance: N < L."""
    return self.num_videos < self.dim

  @property
  def centred(self) -> np.ndarray:
    """All videos less their mean, float64 [N, L]; where they are few."""
    return self._few[1]

  @functools.cached_property
  def _few(self) -> tuple[np.ndarray, np.ndarray]:
    rows = np.concatenate(list(self.blocks()), dtype=np.float64)
    mean = rows.mean(axis=0)
    return mean, rows - mean

  @functools.cached_property
  def _moments(self) -> tuple[np.ndarray, np.ndarray]:
    # Around a value near the mean: far from it the difference of the two large
    # sums would lose the digits that matter.
    origin = None
    total = np.zeros(self.dim)
    products = np.zeros((self.dim, self.dim))
    for block in self.blocks():
      block = block.astype(np.float64)
      origin = block.mean(axis=0) if origin is None else origin
      block -= origin
      total += block.sum(axis=0)
      products += block.T @ block
    shift = total / self.num_videos
    products /= self.num_videos
    products -= np.outer(shift, shift)
    return origin + shift, products

  def project(self, matrix: np.ndarray) -> np.ndarray:
    """(pooled - mean) @ matrix for all videos, where they are many in a pass.

    Args:
      matrix: [L, P].

    Returns:
      float32 [N, P].
    """
    if self.are_few:
      return (self.centred @ matrix).astype(np.float32)
    projected = np.empty((self.num_videos, matrix.shape[1]), np.float32)
    row = 0
    for block in self.blocks():
      projected[row : row + len(block)] = (block - self.mean) @ matrix
      row += len(block)
    return projected


def of_split(split: Any) -> PooledFeatures:
  """The pooled features of a video_dataset.Split."""

  def read_frames() -> Iterator[np.ndarray]:
    from nph_jax.data import input_pipeline  # tensorflow takes seconds

    for block in input_pipeline.evaluation_blocks(split, _BLOCK_SIZE):
      yield block['frames']

  def read() -> Iterator[np.ndarray]:
    return (x.mean(axis=1, dtype=np.float32) for x in read_frames())

  return PooledFeatures(read, split.num_videos, split.feature_dim, read_frames)
