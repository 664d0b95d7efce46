"""Features of files as a library wants them: the one way to nph_jax.extraction.

The network and the frames of a library are chosen when it is made.
"""

from __future__ import annotations

import dataclasses
import os
import pathlib
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from nph_jax import errors
from nph_jax.extraction import backbones, extracting, files

NUM_FRAMES = 25
_BATCH = 4  # videos through the network together
# A record without what the library knows better.
_DROPPED = ('path', 'labels', 'segments')

# A video, its record, its frames [M, L] and those of its segments [n, L].
Done = Callable[
  [files.Video, dict[str, Any], np.ndarray | None, np.ndarray | None], None
]


@dataclasses.dataclass(frozen=True)
class Decoding:
  """How much a library may take: processes, and seconds to decode one video."""

  workers: int
  time_limit: float


def settings(
  backbone: str | None, weights: str | None, num_frames: int | None
) -> dict[str, Any]:
  """What a new library keeps of its features, by the names of the flags.

  Raises:
    UserError: there is no such network.
  """
  name = backbone or backbones.DEFAULT
  return {
    'backbone': name,
    'weights': weights and os.path.abspath(weights),
    'num_frames': num_frames or NUM_FRAMES,
    'feature_dim': backbones.feature_dim(name, weights),
  }


def run(
  videos: Sequence[files.Video],
  chosen: Mapping[str, Any],
  decoding: Decoding,
  done: Done,
) -> None:
  """Extracts videos, a bar on the way.

  Args:
    videos: whose names are their absolute paths.
    chosen: of `settings`.
    decoding: how much it may take.
    done: is told of each video: its record, its frames [M, L] or None, and
      those of its segments, None unless `chosen` says how long these are.

  Raises:
    UserError: no weights, or a package is missing.
  """
  name, weights = chosen['backbone'], chosen['weights']
  options = extracting.Options(
    videos='',
    out=pathlib.Path(),
    backbone=name,
    weights=weights,
    precision=backbones.check_precision(name, None),
    num_frames=chosen['num_frames'],
    labels=False,
    label_names=None,
    shard=(0, 1),
    batch_size=_BATCH,
    num_workers=decoding.workers,
    time_limit=decoding.time_limit,
    spacing=chosen.get('segments'),
  )
  extracting.extract(options, videos, _Sink(videos, done))


class _Sink:
  """What extraction fills, group by group, in the order of the videos."""

  def __init__(self, videos: Sequence[files.Video], done: Done):
    self.records: list[dict[str, Any]] = []
    self._left, self._done = iter(videos), done

  def append(
    self, records: Sequence[Mapping[str, Any]], rows: np.ndarray
  ) -> None:
    left = iter(rows)
    for record in records:
      frames = None if 'error' in record else next(left)
      kept = {x: record[x] for x in record if x not in _DROPPED}
      self._done(next(self._left), kept, frames, record.get('segments'))


def of_clip(
  path: str, chosen: Mapping[str, Any], decoding: Decoding
) -> tuple[dict[str, Any], np.ndarray]:
  """The record of one video, and its frames float16 [M, L].

  Raises:
    UserError: it is no video that can be decoded.
  """
  found = []
  video = files.Video(path, path, (0, 0))
  whole = {**chosen, 'segments': None}
  run([video], whole, decoding, lambda *result: found.append(result[1:3]))
  ((record, frames),) = found
  if frames is None:
    raise errors.UserError(record['error'])
  return record, frames
