"""A decoded frame as a player would show it."""

from __future__ import annotations

import functools
from typing import Any

import numpy as np

# Aspect ratios of pixels: those nearer to 1 are rounding, those beyond damage.
_SQUARE, _MAX_ASPECT = 1.02, 4
# Of networks' and thumbnails' pictures none is larger.
_HDR_SIDE = 512
# Transfer functions as ITU-T H.273 numbers them.
_PQ, _HLG = 16, 18
# BT.2020's primaries in BT.709's (ITU-R BT.2087, section 2).
_TO_709 = np.array(
  [
    [1.6605, -0.5876, -0.0728],
    [-0.1246, 1.1329, -0.0083],
    [-0.0182, -0.1006, 1.1187],
  ],
  np.float32,
)
# cd/m2 of paper white and of the brightest (ITU-R BT.2408, table 1).
_WHITE, _PEAK = 203, 1000


def picture(frame: Any, aspect: float | None) -> np.ndarray:
  """Returns uint8 [H, W, 3]: RGB, upright, square pixels, standard range.

  Args:
    frame: of PyAV.
    aspect: width of a pixel by its height; None or 0: not known.
  """
  size = {}
  if aspect and _SQUARE <= max(aspect, 1 / aspect) <= _MAX_ASPECT:
    # Enlarged, so that nothing is lost.
    size['width'] = round(frame.width * max(aspect, 1))
    size['height'] = round(frame.height * max(1 / aspect, 1))
  if frame.color_trc in (_PQ, _HLG):
    pixels = _standard_range(frame, size)
  else:
    # The workers are the parallelism: threads wait for each other.
    pixels = frame.to_ndarray(format='rgb24', threads=1, **size)
  return np.ascontiguousarray(_upright(pixels, _matrix(frame)))


def _matrix(frame: Any) -> np.ndarray | None:
  """The display matrix that phones write, int32 [3, 3]."""
  data = frame.side_data.get('DISPLAYMATRIX')
  if data is None:
    return None
  return np.frombuffer(bytes(data), np.int32).reshape(3, 3)


def _upright(pixels: np.ndarray, matrix: np.ndarray | None) -> np.ndarray:
  """What the matrix makes of a picture, to the nearest quarter turn.

  Column x of row y goes to column a x + c y of row b x + d y.
  """
  if matrix is None:
    return pixels
  (a, b), (c, d) = matrix[:2, :2].astype(float)
  if abs(b) > abs(a):
    pixels = pixels.transpose(1, 0, 2)
    a, d = c, b
  return pixels[:: -1 if d < 0 else 1, :: -1 if a < 0 else 1]


def _standard_range(frame: Any, size: dict[str, int]) -> np.ndarray:
  """Tone-mapped to the range and the colours of BT.709, and smaller.

  libavfilter's own way is libplacebo or zscale, which PyAV lacks; libswscale's
  took seconds a frame.
  """
  width, height = (
    size.get('width', frame.width),
    size.get('height', frame.height),
  )
  factor = min(1, _HDR_SIDE / min(width, height))
  codes = frame.to_ndarray(
    format='rgb48le',
    width=round(width * factor),
    height=round(height * factor),
    interpolation='AREA',
    threads=1,
    src_colorspace='BT2020',
  )
  light = _light(frame.color_trc)[codes] @ _TO_709.T
  light = np.clip(light, 0, _PEAK / _WHITE)
  # Reinhard et al., "Photographic Tone Reproduction for Digital Images", 2002,
  # equation 4: _PEAK becomes 1.
  mapped = light * (1 + light / (_PEAK / _WHITE) ** 2) / (1 + light)
  return np.round(255 * mapped ** (1 / 2.2)).astype(np.uint8)


@functools.cache
def _light(transfer: int) -> np.ndarray:
  """What each 16-bit code shows, in units of paper white, float32."""
  code = np.arange(1 << 16) / ((1 << 16) - 1)
  if transfer == _PQ:  # ITU-R BT.2100, table 4
    power = code ** (32 / 2523)
    light = np.maximum(power - 3424 / 4096, 0) / (
      2413 / 128 - 2392 / 128 * power
    )
    nits = 10000 * light ** (16384 / 2610)
  else:  # table 5, its system gamma on each colour
    a, b, c = 0.17883277, 0.28466892, 0.55991073
    scene = np.where(
      code <= 0.5, code**2 / 3, (np.exp((code - c) / a) + b) / 12
    )
    nits = _PEAK * scene**1.2
  return (nits / _WHITE).astype(np.float32)
