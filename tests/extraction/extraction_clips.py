"""Clips that the tests make themselves: frame i is of brightness 8 i."""

import fractions

import numpy as np
import pytest

# What PyAV's own build can write, by container.
CODECS = {
  '.mp4': ('mpeg4', 'yuv420p'),
  '.avi': ('mpeg4', 'yuv420p'),
  '.mov': ('mpeg4', 'yuv420p'),
  '.mkv': ('ffv1', 'yuv444p'),
  '.webm': ('libvpx', 'yuv420p'),
}
BRIGHTER = 8


def write_clip(path, num_frames=12, size=(48, 64), pts=None, pictures=None):
  """Writes a clip at 10 frames a second, or at the tenths `pts`."""
  av = pytest.importorskip('av')
  codec, pixels = CODECS[path.suffix.lower()]
  path.parent.mkdir(parents=True, exist_ok=True)
  container = path.suffix.lower()[1:]
  format_name = {'mkv': 'matroska'}.get(container, container)
  with av.open(str(path), 'w', format=format_name) as file:
    stream = file.add_stream(codec, rate=10)
    stream.height, stream.width = size
    stream.pix_fmt = pixels
    stream.bit_rate = 4_000_000
    for number in range(num_frames):
      picture = np.full((*size, 3), BRIGHTER * number % 256, np.uint8)
      if pictures is not None:
        picture = pictures[number]
      frame = av.VideoFrame.from_ndarray(picture, format='rgb24')
      frame.pts = number if pts is None else pts[number]
      frame.time_base = fractions.Fraction(1, 10)
      file.mux(stream.encode(frame))
    file.mux(stream.encode())
  return path
