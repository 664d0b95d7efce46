"""The records that the parts of an index pass to each other."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np


class Settings(NamedTuple):
  """What an index is.

  Attributes:
    num_bits: K.
    engine: what searches, of index.ENGINES.
    bundle_digest: of the hasher that makes its codes, None if unknown.
    keep_relaxed: whether t is kept.
    uri: of the engine's server or file, None for its default.
  """

  num_bits: int
  engine: str
  bundle_digest: str | None
  keep_relaxed: bool
  uri: str | None


class State(NamedTuple):
  """How far a store got: since State(), everything came.

  Attributes:
    generation: of the log; a compaction and a rehash begin a new one.
    number: of its last entry, from 1.
  """

  generation: int = -1
  number: int = 0


class Segments(NamedTuple):
  """A code for every few seconds of a video.

  Attributes:
    seconds: how long a segment is; the last may be shorter.
    duration: of the video, in seconds.
    codes: uint8 [n, P], of the frame in the middle of each.
  """

  seconds: float
  duration: float
  codes: np.ndarray


class Batch(NamedTuple):
  """Videos to be added.

  Attributes:
    ids: int64 [n], in the index neither now nor twice here.
    codes: uint8 [n, P].
    relaxed: t float16 [n, K], None where it is not kept.
    metadata: one for each video, None for none at all.
    contents: int64 [n], stand for the features, None if unknown.
    segments: of each video, or None; None for none at all.
  """

  ids: np.ndarray
  codes: np.ndarray
  relaxed: np.ndarray | None = None
  metadata: Sequence[Mapping[str, Any]] | None = None
  contents: np.ndarray | None = None
  segments: Sequence[Segments | None] | None = None


class Changes(NamedTuple):
  """What leads from one state to another: removals first, then additions.

  Attributes:
    since, state: the two.
    removed: int64, ids to be removed if they are there.
    ids, codes: of what is added, int64 [n] and uint8 [n, P].
    lists: int32 [n], of the engine 'ivf', -1 where it has none.
  """

  since: State
  state: State
  removed: np.ndarray
  ids: np.ndarray
  codes: np.ndarray
  lists: np.ndarray


@dataclasses.dataclass(frozen=True)
class Hit:
  """One result.

  Attributes:
    id: of the video.
    distance: Hamming, in bits.
    metadata: what was added with it.
    score: cosine of the query's t and the video's code (asymmetric ranking) or
      t (re-ranking), None for ranking by distance.
    start, end: of the moment that was found, in seconds; None of a whole video.
  """

  id: int
  distance: int
  metadata: dict[str, Any]
  score: float | None
  start: float | None = None
  end: float | None = None
