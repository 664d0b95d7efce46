"""Features of files as a library wants them: the one way to nph_jax.extraction.

The network and the frames of a library are chosen when it is made.
"""

from __future__ import annotations

import argparse
import dataclasses
import os
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from nph_jax import errors
from nph_jax.extraction import (
  backbones,
  extracting,
  files,
  onnx_model,
  tasks,
)
from nph_jax.library import shots

NUM_FRAMES = 25


@dataclasses.dataclass(frozen=True)
class Decoding:
  """How a library extracts.

  Attributes:
    workers: decoding processes.
    time_limit: seconds to decode one video.
    provider: of ONNX Runtime.
    cluster: address of a Ray cluster that does it; None: this machine.
  """

  workers: int
  time_limit: float
  provider: str = onnx_model.CPU
  cluster: str | None = None

  @classmethod
  def of(cls, flags: argparse.Namespace) -> Decoding:
    """As the flags have it."""
    return cls(
      flags.workers,
      flags.time_limit,
      flags.provider or onnx_model.CPU,
      getattr(flags, 'cluster', None),
    )


def settings(
  backbone: str | None, weights: str | None, num_frames: int | None
) -> dict[str, Any]:
  """What a new library keeps of its features, by the names of the flags.

  Raises:
    UserError: there is no such network.
  """
  name = backbone or backbones.DEFAULT
  width = backbones.feature_dim(name, weights)
  return {
    'backbone': name,
    'weights': weights and os.path.abspath(weights),
    'weights_hash': weights and _hash(weights),
    'num_frames': num_frames or NUM_FRAMES,
    'feature_dim': width,
  }


def _hash(path: str) -> str:
  try:
    with open(path, 'rb') as file:
      return tasks.digest(file)
  except OSError as error:
    raise errors.UserError(
      f'{path}: cannot be read ({error.strerror}); the library needs these '
      'weights.'
    ) from error


def run(
  videos: Sequence[files.Video],
  chosen: Mapping[str, Any],
  decoding: Decoding,
  done: extracting.Done,
) -> None:
  """Extracts videos, a bar on the way.

  Args:
    videos: whose paths are absolute.
    chosen: of `settings`.
    decoding: how much it may take.
    done: of extracting.extract; its frames of segments are what shots.cut
      reads, where `chosen` says that there are some.

  Raises:
    UserError: no weights, or a package is missing.
  """
  name, weights = chosen['backbone'], chosen['weights']
  if weights and chosen.get('weights_hash') not in (None, _hash(weights)):
    raise errors.UserError(
      f'{weights}: is not the file that the library was made with; put that '
      'back, or make another library with --index.'
    )
  options = extracting.Options(
    backbone=name,
    weights=weights,
    precision=backbones.check_precision(name, None),
    num_frames=chosen['num_frames'],
    num_workers=decoding.workers,
    time_limit=decoding.time_limit,
    provider=decoding.provider,
    cluster=decoding.cluster,
    spacing=shots.spacing(chosen.get('segments')),
  )
  extracting.extract(options, videos, done)


def of_clip(
  path: str, chosen: Mapping[str, Any], decoding: Decoding
) -> tuple[dict[str, Any], np.ndarray]:
  """The record of one video, and its frames float16 [M, L].

  Raises:
    UserError: it is no video that can be decoded.
  """
  found = []
  video = files.Video(path, (0, 0))
  whole = {**chosen, 'segments': None}
  run([video], whole, decoding, lambda *result: found.append(result[1:3]))
  ((record, frames),) = found
  if frames is None:
    raise errors.UserError(record[extracting.ERROR])
  return record, frames
