"""Animated WebP, which libav only writes."""

from __future__ import annotations

import fractions
from collections.abc import Iterator
from typing import Any, BinaryIO

from nph_jax.extraction import images


def is_webp(head: bytes) -> bool:
  return head[:4] == b'RIFF' and head[8:12] == b'WEBP'


def size(file: BinaryIO) -> tuple[int, int, int]:
  """Number of frames, height, width; 1 frame is a still picture."""
  with _opened(file) as image:
    return image.n_frames, image.height, image.width


def frames(file: BinaryIO) -> Iterator[Any]:
  """Yields the frames as PyAV's.

  Raises:
    OSError: the file is damaged.
  """
  import av

  with _opened(file) as image:
    for number in range(image.n_frames):
      image.seek(number)
      frame = av.VideoFrame.from_image(image.convert('RGB'))
      # Pillow knows a frame's time once the frame is loaded.
      frame.pts = image.info['timestamp']
      frame.time_base = fractions.Fraction(1, 1000)
      yield frame


def _opened(file: BinaryIO) -> Any:
  file.seek(0)
  return images.import_pillow().open(file, formats=['WEBP'])
