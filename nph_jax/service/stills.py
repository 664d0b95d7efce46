"""Pictures of a video for people, by seeking: near the place is good enough."""

from __future__ import annotations

import io
from collections.abc import Iterator, Sequence
from typing import Any, BinaryIO

import numpy as np

from nph_jax import errors
from nph_jax.extraction import decoding, images, video_file
from nph_jax.extraction import pictures as pictures_lib

THUMBNAIL_SIZE = 320  # longer side, pixels
_PREVIEW_SIZE, _PREVIEW_FRAMES, _PREVIEW_MILLISECONDS = 256, 10, 300
_NO_LIMITS = video_file.Limits(None, None, decoding.MAX_PIXELS)
# Frames decoded from a key frame on towards the place that is wanted; what
# moves has to differ from one place to the next.
_PATIENCE, _MORE_PATIENCE = 40, 300
_MICROSECONDS = 1_000_000


def thumbnail(file: BinaryIO) -> bytes:
  """A JPEG of the middle of a video.

  Raises:
    UserError: nothing of it can be decoded.
  """
  return jpeg(_frames(file, 1, _PATIENCE)[0])


def preview(file: BinaryIO) -> bytes:
  """An animated WebP of some frames from all of a video; raises as above."""
  frames = _frames(file, _PREVIEW_FRAMES, _MORE_PATIENCE)
  first, *others = [_fitted(frame, _PREVIEW_SIZE) for frame in frames]
  content = io.BytesIO()
  first.save(
    content,
    'WEBP',
    save_all=True,
    # A stream may change its size, an animation may not.
    append_images=[other.resize(first.size) for other in others],
    duration=_PREVIEW_MILLISECONDS,
    loop=0,
    quality=70,
    method=2,
  )
  return content.getvalue()


def jpeg(pixels: np.ndarray) -> bytes:
  """A picture [H, W, 3] as a thumbnail."""
  content = io.BytesIO()
  _fitted(pixels, THUMBNAIL_SIZE).save(content, 'JPEG', quality=82)
  return content.getvalue()


def shrunk(pixels: np.ndarray) -> np.ndarray:
  """As large as a thumbnail; whole frames of 4K video take 25 MB each."""
  return np.asarray(_fitted(pixels, THUMBNAIL_SIZE))


def _fitted(pixels: np.ndarray, size: int) -> Any:
  picture = images.import_pillow().fromarray(pixels)
  picture.thumbnail((size, size))
  return picture


def _frames(file: BinaryIO, count: int, patience: int) -> Sequence[np.ndarray]:
  """Pictures from the centres of as many equal parts of a video."""
  video = video_file.VideoFile(file, _NO_LIMITS)
  try:
    with video_file.reporting(video.name):
      found = [] if video.animated else list(_sought(video, count, patience))
  except errors.UserError:
    found = []
  if len(found) == count:
    return found
  # The operator's own videos are shown whatever their length.
  return decoding.sample_frames(file, count, prepare=shrunk).frames


def _sought(
  video: video_file.VideoFile, count: int, patience: int
) -> Iterator[np.ndarray]:
  with video.opened() as (container, stream):
    length, start = container.duration or 0, container.start_time or 0
    shown_for = 1 / (stream.average_rate or 25)
    for number in range(count):
      place = start + (2 * number + 1) * length // (2 * count)
      container.seek(place)
      shown = None
      for tried, frame in enumerate(_decoded(container, stream)):
        shown = frame
        end = (frame.time or 0) + shown_for
        if end * _MICROSECONDS > place or tried == patience:
          break
      if shown is not None:
        yield shrunk(pictures_lib.picture(shown, video.aspect))


def _decoded(container: Any, stream: Any) -> Iterator[Any]:
  """Frames from where the container is."""
  for packet in container.demux(stream):
    try:
      yield from stream.decode(packet)
    except video_file.import_av().error.EOFError:
      return
