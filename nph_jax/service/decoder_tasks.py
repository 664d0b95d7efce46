"""What a decoding process does: features of an upload, pictures of a video."""

from __future__ import annotations

import io
from collections.abc import Sequence
from typing import Any, BinaryIO

import numpy as np

from nph_jax import errors
from nph_jax.extraction import backbones, decoding, images, video_file
from nph_jax.service import decoding_process

_PICTURE_SIZE = 320  # longer side, pixels
_PREVIEW_SIZE, _PREVIEW_FRAMES, _PREVIEW_MILLISECONDS = 256, 10, 300


def load(
  backbone: str | None = None,
  weights: str | None = None,
  shape: tuple[int, int] = (0, 0),
) -> decoding_process.Handler:
  """The function that does the jobs below.

  Args:
    backbone: name of the one whose features are wanted, None for no features.
    weights: its file.
    shape: of the features of a video, (M, L).

  Raises:
    UserError: a package or the weights are missing, or the width is another.
  """
  video_file.import_av()
  images.import_pillow()
  network = _network(backbone, weights, *shape) if backbone else None

  def handle(
    job: dict[str, Any], file: BinaryIO
  ) -> tuple[dict[str, Any], Sequence[bytes]]:
    if job['do'] == 'features':
      return _features(network, job, file)
    return _pictures(file)

  return handle


def _network(
  backbone: str, weights: str | None, num_frames: int, feature_dim: int
) -> Any:
  network = backbones.create(backbone, weights)
  if network.feature_dim != feature_dim:
    raise errors.UserError(
      f'--backbone={backbone}: makes features of width {network.feature_dim}, '
      f'but the bundle reads {feature_dim}; use the backbone that its training '
      'videos were extracted with.'
    )
  # What it begins, loads or compiles late, it does before the limits are set.
  black = [np.zeros((64, 64, 3), np.uint8)] * num_frames
  network.features(network.preprocess(black))
  return network


def _features(
  network: Any, job: dict[str, Any], file: BinaryIO
) -> tuple[dict[str, Any], Sequence[bytes]]:
  """Features float16 [M, L] of a video, and a thumbnail."""
  video = decoding.sample_frames(
    file,
    job['num_frames'],
    # Whole frames of 4K video would take 25 MB each.
    prepare=lambda pixels: (network.preprocess([pixels])[0], _shrunk(pixels)),
    **job['limits'],
  )
  crops, pictures = zip(*video.frames)
  batch = np.stack(crops)
  with np.errstate(over='ignore'):  # the service looks for infinity itself
    features = np.asarray(network.features(batch)).astype('<f2')
  fields = {
    'duration': float(video.duration),
    'frame_times': [float(time) for time in video.times],
  }
  return fields, [features.tobytes(), _thumbnail(pictures)]


def _pictures(file: BinaryIO) -> tuple[dict[str, Any], Sequence[bytes]]:
  """A thumbnail (JPEG) and a preview (animated WebP)."""
  # The operator's own videos are shown whatever their length.
  frames = decoding.sample_frames(file, _PREVIEW_FRAMES, prepare=_shrunk).frames
  return {}, [_thumbnail(frames), _preview(frames)]


def _thumbnail(frames: Sequence[Any]) -> bytes:
  file = io.BytesIO()
  middle = frames[len(frames) // 2]
  _picture(middle, _PICTURE_SIZE).save(file, 'JPEG', quality=82)
  return file.getvalue()


def _preview(frames: Sequence[Any]) -> bytes:
  first, *others = [_picture(frame, _PREVIEW_SIZE) for frame in frames]
  file = io.BytesIO()
  first.save(
    file,
    'WEBP',
    save_all=True,
    # A stream may change its size, an animation may not.
    append_images=[other.resize(first.size) for other in others],
    duration=_PREVIEW_MILLISECONDS,
    loop=0,
    quality=70,
    method=2,
  )
  return file.getvalue()


def _shrunk(pixels: Any) -> Any:
  import numpy as np

  return np.asarray(_picture(pixels, _PICTURE_SIZE))


def _picture(frame: Any, size: int) -> Any:
  picture = images.import_pillow().fromarray(frame)
  picture.thumbnail((size, size))
  return picture
