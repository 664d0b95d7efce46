"""What decoding processes do: features, pictures, and videos that play."""

from __future__ import annotations

import os
from typing import Any, BinaryIO

import numpy as np

from nph_jax import errors
from nph_jax.extraction import backbones, decoding, images, video_file
from nph_jax.service import decoding_process, stills, transcoding

_NICENESS = 10  # what is watched later leaves the processor to searches


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

  def handle(job: dict[str, Any], file: BinaryIO) -> decoding_process.Answer:
    if job['do'] == 'features':
      return _features(network, job, file)
    make = {'thumbnail': stills.thumbnail, 'preview': stills.preview}
    return {}, [make[job['do']](file)]

  return handle


def load_transcoder() -> decoding_process.Handler:
  """The function that converts a video; its answer comes in parts."""
  if hasattr(os, 'nice'):
    os.nice(_NICENESS)
  return lambda _, file: transcoding.transcode(file)


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
) -> decoding_process.Answer:
  """Features float16 [M, L] of a video, and a thumbnail."""
  video = decoding.sample_frames(
    file,
    job['num_frames'],
    prepare=lambda pixels: (
      network.preprocess([pixels])[0],
      stills.shrunk(pixels),
    ),
    **job['limits'],
  )
  crops, pictures = zip(*video.frames)
  batch = np.stack(crops)
  with np.errstate(over='ignore'):  # the service looks for infinity itself
    features = np.asarray(network.features(batch)).astype('<f2')
  fields = {
    'duration': float(video.duration),
    'frame_times': [float(time) for time in video.times],
    'size': video.size,
  }
  thumbnail = stills.jpeg(pictures[len(pictures) // 2])
  return fields, [features.tobytes(), thumbnail]
