"""Videos of many callers, hashed in one call."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import Protocol

import numpy as np


@dataclasses.dataclass(frozen=True)
class Code:
  """A video's code uint8 [K / 8], and its t float32 [K], None if unknown."""

  packed: np.ndarray
  relaxed: np.ndarray | None


class _Hasher(Protocol):
  """What is needed of export.hasher.Hasher."""

  def encode_relaxed(
    self, frames: np.ndarray
  ) -> tuple[np.ndarray, np.ndarray]: ...


class Hashing:
  """Hashes a batch of videos; what a Batcher runs."""

  def __init__(self, hasher: _Hasher):
    self._hasher = hasher

  def __call__(self, videos: Sequence[np.ndarray]) -> list[Code]:
    """The code of each video, frames float16 [M, L]."""
    codes, relaxed = self._hasher.encode_relaxed(np.stack(videos))
    return [Code(*both) for both in zip(codes, relaxed, strict=True)]
