"""What networks for ImageNet see of pictures, and in which batches."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any

import numpy as np

from nph_jax import errors

CROP = 224
# Of the shorter side to the crop, as ImageNet's networks are evaluated.
_MARGIN = 256 / 224
_MAX_RATIO = 50


def crops(
  frames: Sequence[np.ndarray] | np.ndarray, size: int = CROP
) -> np.ndarray:
  """Shorter side to 8/7 of `size` (bicubic), then the centre.

  At 224, the shorter side is 256.

  Args:
    frames: M of uint8 [H, W, 3]; sizes may differ.
    size: of the crops, pixels.

  Returns:
    uint8 [M, size, size, 3].

  Raises:
    UserError: a frame is too narrow to be a video's, or Pillow is missing.
  """
  return np.stack([_crop(frame, size) for frame in frames])


def import_pillow() -> Any:
  """The module PIL.Image.

  Raises:
    UserError: Pillow is not installed.
  """
  return errors.import_extra(
    'PIL.Image', 'video', 'frames are resized by Pillow'
  )


def _crop(frame: np.ndarray, size: int) -> np.ndarray:
  image = import_pillow()
  height, width = frame.shape[:2]
  short = min(height, width)
  if max(height, width) > _MAX_RATIO * short:
    raise errors.UserError(
      f'frames of {width} x {height}: more than {_MAX_RATIO} times as long as '
      'wide; leave such videos out.'
    )
  shorter = round(size * _MARGIN)
  wide, high = shorter * width // short, shorter * height // short
  left, top = round((wide - size) / 2), round((high - size) / 2)
  resized = image.fromarray(frame).resize(
    (wide, high), image.Resampling.BICUBIC
  )
  return np.asarray(resized.crop((left, top, left + size, top + size)))


def in_chunks(
  function: Callable[[np.ndarray], np.ndarray],
  batch: np.ndarray,
  size: int,
  mapped: Callable[..., Iterable[np.ndarray]] = map,
) -> np.ndarray:
  """Applies `function` to `size` rows at a time.

  The last chunk is filled up with its last row: another shape would be another
  program, with other rounding.

  Args:
    function: [size, ...] to [size, L].
    batch: [N, ...], N > 0.
    size: rows of a chunk.
    mapped: as `map`: the chunks in turn, or at once.

  Returns:
    [N, L] float32.
  """
  starts = range(0, len(batch), size)
  chunks = (_chunk(batch, start, size) for start in starts)
  return np.concatenate(list(mapped(function, chunks)))[: len(batch)]


def _chunk(batch: np.ndarray, start: int, size: int) -> np.ndarray:
  chunk = batch[start : start + size]
  filling = np.repeat(chunk[-1:], size - len(chunk), axis=0)
  return np.concatenate([chunk, filling])
