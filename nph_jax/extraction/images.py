"""What networks for ImageNet do to a picture before they see it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from nph_jax import errors

SHORTER_SIDE = 256
CROP = 224
_MAX_RATIO = 50


def crops(frames: Sequence[np.ndarray] | np.ndarray) -> np.ndarray:
  """Shorter side to 256 (bicubic), then the centre 224 x 224.

  Args:
    frames: M of uint8 [H, W, 3]; sizes may differ.

  Returns:
    uint8 [M, 224, 224, 3].

  Raises:
    UserError: a frame is too narrow to be a video's, or Pillow is missing.
  """
  frames = list(frames)
  done: dict[int, np.ndarray] = {}
  for frame in frames:
    if id(frame) not in done:
      done[id(frame)] = _crop(frame)
  return np.stack([done[id(frame)] for frame in frames])


def import_pillow() -> Any:
  """The module PIL.Image.

  Raises:
    UserError: Pillow is not installed.
  """
  try:
    from PIL import Image
  except ImportError as error:
    raise errors.UserError(
      "frames are resized by Pillow: pip install 'nph-jax[video]'."
    ) from error
  return Image


def _crop(frame: np.ndarray) -> np.ndarray:
  image = import_pillow()
  height, width = frame.shape[:2]
  short = min(height, width)
  if max(height, width) > _MAX_RATIO * short:
    raise errors.UserError(
      f'frames of {width} x {height}: more than {_MAX_RATIO} times as long as '
      'wide; leave such videos out.'
    )
  wide, high = SHORTER_SIDE * width // short, SHORTER_SIDE * height // short
  left, top = round((wide - CROP) / 2), round((high - CROP) / 2)
  resized = image.fromarray(frame).resize(
    (wide, high), image.Resampling.BICUBIC
  )
  return np.asarray(resized.crop((left, top, left + CROP, top + CROP)))
