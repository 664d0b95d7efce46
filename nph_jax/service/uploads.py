"""Videos of strangers: from a file to features, in another process."""

from __future__ import annotations

import base64
import dataclasses
from typing import Any

import numpy as np

from nph_jax import errors
from nph_jax.service import bodies, decoders, limits, problems


@dataclasses.dataclass(frozen=True)
class Extracted:
  """What the decoding process made of a video.

  Attributes:
    frames: features float16 [M, L], finite.
    metadata: name, backbone, duration (s) and frame_times (s).
    thumbnail: a JPEG as a data: address.
  """

  frames: np.ndarray
  metadata: dict[str, Any]
  thumbnail: str


class Extractor:
  """Features for a hasher of frames [M, L].

  Attributes:
    backbone: whose features they are.
    gate: turns uploads away when too many arrive or wait; entered before one
      is read, so that the disk need not hold more.
  """

  def __init__(
    self,
    decoder: decoders.Decoder,
    backbone: str,
    shape: tuple[int, int],
    bounds: limits.Limits,
  ):
    self.backbone = backbone
    self.gate = limits.Gate(bounds.videos, 'videos')
    self._decoder, self._shape = decoder, shape
    self._job = {
      'do': 'features',
      'num_frames': shape[0],
      'limits': {
        'max_duration': bounds.duration,
        'max_frames': bounds.frames,
        'max_pixels': bounds.pixels,
      },
    }

  async def extract(self, body: bodies.Body) -> Extracted:
    """The features of the upload in `body`.

    Raises:
      Problem: status 422, the video cannot be used; 503, not now.
    """
    job = {**self._job, 'path': str(body.video)}
    try:
      fields, (features, picture) = await self._decoder.run(job)
    except errors.UserError as error:
      name = body.name or 'The file'
      sentence = problems.without_paths(error, {str(body.video): name})
      raise problems.Problem(422, sentence) from error
    frames, known = _checked(fields, features, self._shape)
    metadata = {'name': body.name, 'backbone': self.backbone, **known}
    address = 'data:image/jpeg;base64,' + base64.b64encode(picture).decode()
    return Extracted(frames, metadata, address)


def _checked(
  fields: dict[str, Any], features: bytes, shape: tuple[int, int]
) -> tuple[np.ndarray, dict[str, Any]]:
  """A process that a file has taken over may say anything."""
  try:
    frames = np.frombuffer(features, '<f2').reshape(shape)
    times = [float(time) for time in fields['frame_times']]
    duration = float(fields['duration'])
    if np.isfinite(frames).all() and np.isfinite([duration, *times]).all():
      return frames, {'duration': duration, 'frame_times': times}
  except (KeyError, TypeError, ValueError):
    pass
  raise problems.Problem(
    422, 'The video gives features that are no numbers; encode it again.'
  )
