"""What a worker does with one video: all before the network, or that too."""

from __future__ import annotations

import dataclasses
import functools
import hashlib
import itertools
from collections.abc import Iterator
from typing import Any, BinaryIO

import numpy as np

from nph_jax import errors
from nph_jax.extraction import backbones, decoding

_DECIMALS = 6
CHUNK = 50  # frames of a stream that are in memory together


@dataclasses.dataclass(frozen=True)
class Task:
  """A video file, and what its features are to be.

  Attributes:
    path: of the file.
    backbone: whose features they are.
    num_frames: M.
    spacing: seconds from one frame of the stream to the next; None: no stream.
    weights, precision: of the backbone, where it runs in the worker.
  """

  path: str
  backbone: str
  num_frames: int
  spacing: float | None = None
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
    stream: features [n, L] of the frames that came before, if any did.
  """

  batch: np.ndarray
  facts: dict[str, Any]
  stream: np.ndarray | None = None


@dataclasses.dataclass(frozen=True)
class Features:
  """What the network made of a video.

  Attributes:
    frames: float16 [M, L].
    facts: of Decoded.
    stream: of Decoded.
  """

  frames: np.ndarray
  facts: dict[str, Any]
  stream: np.ndarray | None = None


def features(task: Task) -> Features:
  """Decodes one video and computes its features.

  Raises:
    UserError: it is no video, or a damaged one, or there are no weights.
  """
  network = _network(task.backbone, task.weights, task.precision)
  if task.spacing is None:
    decoded = decode(task)
    rows = None
  else:
    *parts, decoded = (
      x if isinstance(x, Decoded) else half(network.features(x))
      for x in stream(task)
    )
    rows = np.concatenate(parts)
  return Features(half(network.features(decoded.batch)), decoded.facts, rows)


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
  prepare = functools.partial(_prepared, task)
  return _decoded(
    task, decoding.sample_frames(task.path, task.num_frames, prepare=prepare)
  )


def stream(task: Task) -> Iterator[np.ndarray | Decoded]:
  """Yields frames as the backbone reads them, CHUNK at a time, then a Decoded.

  They are those of decoding.stream_frames, from one pass over the video.

  Raises:
    UserError: as of `decode`.
  """
  found = []

  def frames() -> Iterator[np.ndarray]:
    prepare = functools.partial(_prepared, task)
    sampled = yield from decoding.stream_frames(
      task.path, task.num_frames, task.spacing, prepare=prepare
    )
    found.append(sampled)

  left = frames()
  while chunk := list(itertools.islice(left, CHUNK)):
    yield np.stack(chunk)
  yield _decoded(task, *found)


def _prepared(task: Task, frame: np.ndarray) -> np.ndarray:
  try:
    return backbones.find(task.backbone).preprocess([frame])[0]
  except errors.UserError as error:  # which knows the frame alone
    raise errors.UserError(f'{task.path}: {error}') from error


def _decoded(task: Task, sampled: decoding.SampledVideo) -> Decoded:
  batch = np.stack(sampled.frames)
  with open(task.path, 'rb') as file:
    content_hash = digest(file)
  facts = {
    'duration': round(sampled.duration, _DECIMALS),
    'frame_times': [round(x, _DECIMALS) for x in sampled.times.tolist()],
    'width': sampled.size[0],
    'height': sampled.size[1],
    'hash': content_hash,
  }
  if sampled.share < 1:
    facts['partial'] = round(sampled.share, _DECIMALS)
  return Decoded(batch, facts)


def digest(file: BinaryIO) -> str:
  """BLAKE2b of a file's content, 32 hexadecimal digits."""
  made = functools.partial(hashlib.blake2b, digest_size=16)
  return hashlib.file_digest(file, made).hexdigest()
