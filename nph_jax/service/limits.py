"""What the service is told: what it serves, and how much of it at once."""

from __future__ import annotations

import dataclasses
import pathlib
from collections.abc import Sequence
from typing import Any


def _flag(default: float, name: str, what: str, unit: float = 1) -> Any:
  """A bound that a flag of the command sets, in `unit`s."""
  about = {'flag': name, 'what': what, 'unit': unit}
  return dataclasses.field(default=default, metadata=about)


@dataclasses.dataclass(frozen=True)
class Limits:
  """Every bound that the service keeps; those without a flag are explained.

  Attributes:
    upload_seconds: that a body may take to arrive.
    upload_rate: bytes of a body that come in a second at least.
    patience_seconds: that they may be late.
    pixels: of a frame.
    conversions: videos that wait to be converted, the first included.
  """

  upload_bytes: int = _flag(
    200 << 20, 'max_upload_mb', 'MiB of an upload', 1 << 20
  )
  duration: float = _flag(600.0, 'max_duration', 'seconds of a video')
  frames: int = _flag(50_000, 'max_frames', 'frames of a video')
  k: int = _flag(1000, 'max_k', 'results, and videos that are re-ranked')
  concurrency: int = _flag(
    64, 'max_concurrent', 'searches and additions in progress'
  )
  videos: int = _flag(
    8,
    'max_videos',
    'uploads that wait for a decoder or are in one; so many of the largest may '
    'be on the disk',
  )
  decoders: int = _flag(2, 'decoders', 'processes that decode uploads')
  decode_seconds: float = _flag(
    60.0, 'decode_seconds', 'that one video may take'
  )
  memory_bytes: int = _flag(
    2 << 30, 'decode_mb', 'MiB that one video may take', 1 << 20
  )
  batch: int = _flag(
    64, 'max_batch', 'videos hashed, or searches made, together'
  )
  wait_seconds: float = _flag(
    0.002, 'batch_wait_ms', 'that a video or a search waits for others', 0.001
  )
  cache_bytes: int = _flag(
    4 << 30,
    'cache_mb',
    'MiB on the disk of thumbnails, and of videos that were converted for '
    'browsers',
    1 << 20,
  )
  convert_seconds: float = _flag(
    900.0, 'convert_seconds', 'that converting one video may take'
  )
  upload_seconds: float = 300.0
  upload_rate: int = 16 << 10
  patience_seconds: float = 10.0
  pixels: int = 4096 * 2304
  conversions: int = 16


@dataclasses.dataclass(frozen=True)
class Setup:
  """The flags of the service, read.

  Attributes:
    index, bundle, videos: folders; videos may be None.
    backbone, weights: of uploads; None for what the index names.
    token: that callers must bear, or None.
    hosts: names that the service goes by, apart from addresses and localhost.
    read_only: nothing is added or removed.
    follow_links: files that links in `videos` lead to elsewhere are shown.
    bounds: the limits.
    cache: folder of pictures and converted videos; None for the user's own.
  """

  index: pathlib.Path
  bundle: pathlib.Path
  videos: pathlib.Path | None = None
  backbone: str | None = None
  weights: str | None = None
  token: str | None = None
  hosts: Sequence[str] = ()
  read_only: bool = False
  follow_links: bool = False
  bounds: Limits = Limits()
  cache: pathlib.Path | None = None
