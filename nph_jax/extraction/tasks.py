"""What a worker does with one video: all before the network, or that too."""

from __future__ import annotations

import dataclasses
import functools
import hashlib
from typing import Any, BinaryIO

import numpy as np

from nph_jax import errors
from nph_jax.extraction import backbones, decoding

_READ_BYTES = 4 << 20
_DECIMALS = 6


@dataclasses.dataclass(frozen=True)
class Task:
  """A video file, and what its features are to be; see extracting.Options."""

  path: str
  backbone: str
  num_frames: int
  weights: str | None = None
  precision: str | None = None

  def __str__(self) -> str:
    return self.path


@dataclasses.dataclass(frozen=True)
class Decoded:
  """A video ready for the network.

  Attributes:
    batch: its frames as the backbone reads them, [M, ...].
    facts: its part of the manifest: duration and frame_times in seconds, hash,
      and the share that could be decoded as `partial` where that is not all.
  """

  batch: np.ndarray
  facts: dict[str, Any]


@dataclasses.dataclass(frozen=True)
class Features:
  """A video's features: frames float16 [M, L], and the facts of Decoded."""

  frames: np.ndarray
  facts: dict[str, Any]


def features(task: Task) -> Features:
  """Decodes one video and computes its features, on one core.

  Raises:
    UserError: it is no video, or a damaged one, or there are no weights.
  """
  decoded = decode(task)
  network = _network(task.backbone, task.weights, task.precision)
  return Features(half(network.features(decoded.batch)), decoded.facts)


@functools.lru_cache(maxsize=1)
def _network(*chosen: str | None) -> backbones.Backbone:
  return backbones.create(*chosen)


def half(values: np.ndarray) -> np.ndarray:
  """As float16; what is beyond it is infinite."""
  with np.errstate(over='ignore'):
    return values.astype(np.float16)


def decode(task: Task) -> Decoded:
  """Decodes and prepares the frames of one video.

  Raises:
    UserError: it is no video, or a damaged one.
  """
  preprocess = backbones.find(task.backbone).preprocess

  def prepare(frame: np.ndarray) -> np.ndarray:
    try:
      return preprocess([frame])[0]
    except errors.UserError as error:  # which knows the frame alone
      raise errors.UserError(f'{task.path}: {error}') from error

  sampled = decoding.sample_frames(task.path, task.num_frames, prepare=prepare)
  batch = np.stack(sampled.frames)
  with open(task.path, 'rb') as file:
    content_hash = digest(file)
  facts = {
    'duration': round(sampled.duration, _DECIMALS),
    'frame_times': [round(x, _DECIMALS) for x in sampled.times.tolist()],
    'hash': content_hash,
  }
  if sampled.share < 1:
    facts['partial'] = round(sampled.share, _DECIMALS)
  return Decoded(batch, facts)


def digest(file: BinaryIO) -> str:
  """BLAKE2b of a file's content, 32 hexadecimal digits."""
  found = hashlib.blake2b(digest_size=16)
  while content := file.read(_READ_BYTES):
    found.update(content)
  return found.hexdigest()
