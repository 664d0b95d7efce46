"""The records that the parts of an index pass to each other."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

KINDS = ('codes', 'ids', 'relaxed')  # of row files


@dataclasses.dataclass(frozen=True)
class Settings:
  """What an index was created as.

  Attributes:
    num_bits: K.
    engine: what searches, of indexing.ENGINES.
    bundle_digest: of the hasher that makes its codes, None if unknown.
    keep_relaxed: whether t is kept.
    uri: of the engine's server or file, None for its default.
  """

  num_bits: int
  engine: str
  bundle_digest: str | None
  keep_relaxed: bool
  uri: str | None


@dataclasses.dataclass(frozen=True)
class State:
  """How far a store got.

  Attributes:
    generation: of the row files; compaction makes a new one.
    rows: written in it, removed ones included.
    removals: number of the last removal, over all generations.
  """

  generation: int = -1
  rows: int = 0
  removals: int = 0

  def is_before(self, other: State) -> bool:
    """Whether what came since leads to `other`, or they are equal.

    The snapshot of an engine is ahead of a store that is a copy from before.
    """
    return self.generation == -1 or (
      self.generation == other.generation
      and self.rows <= other.rows
      and self.removals <= other.removals
    )


@dataclasses.dataclass(frozen=True)
class Batch:
  """Videos to be added.

  Attributes:
    codes: uint8 [n, P].
    ids: int64 [n], in the index neither now nor twice here.
    relaxed: t float16 [n, K], None where it is not kept.
    metadata: one for each video, None for none at all.
  """

  codes: np.ndarray
  ids: np.ndarray
  relaxed: np.ndarray | None
  metadata: Sequence[Mapping[str, Any]] | None


@dataclasses.dataclass(frozen=True)
class Hit:
  """One result.

  Attributes:
    id: of the video.
    distance: Hamming, in bits.
    metadata: what was added with it.
    score: cosine of the query's t and the video's, None without re-ranking.
  """

  id: int
  distance: int
  metadata: dict[str, Any]
  score: float | None
