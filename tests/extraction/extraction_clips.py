"""Clips that the tests make themselves: frame i is of brightness 8 i."""

import clips
import numpy as np

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
  container = path.suffix.lower()[1:]
  path.parent.mkdir(parents=True, exist_ok=True)
  if pictures is None:
    pictures = [
      np.full((*size, 3), BRIGHTER * number % 256, np.uint8)
      for number in range(num_frames)
    ]
  return clips.encode(
    path,
    pictures,
    *CODECS[path.suffix.lower()],
    pts=pts,
    container={'mkv': 'matroska'}.get(container, container),
    bit_rate=4_000_000,
  )
