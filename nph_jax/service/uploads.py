"""Videos of strangers: from a file to features, in another process."""

from __future__ import annotations

import base64
import dataclasses
from typing import Any, BinaryIO

import fastapi
import numpy as np

from nph_jax import errors
from nph_jax.extraction import tasks
from nph_jax.service import containers, decoders, limits, problems, rooms

_NAME_LENGTH = 200


@dataclasses.dataclass(frozen=True)
class Upload:
  """A video that has arrived.

  Attributes:
    file: its content, until the request ends.
    name: what the caller calls it; shown, never opened.
    suffix: of its container.
  """

  file: BinaryIO
  name: str
  suffix: str

  def digest(self) -> str:
    """Stands for the content, as in extraction's manifest."""
    self.file.seek(0)
    return tasks.digest(self.file)


def received(upload: fastapi.UploadFile) -> Upload:
  """The video of a form; a Problem, status 415, where it is none."""
  head = upload.file.read(containers.HEAD_BYTES)
  suffix = containers.suffix_of(head)
  return Upload(upload.file, _shown(upload.filename or ''), suffix)


def _shown(filename: str) -> str:
  """The last part of what the caller's browser calls the file."""
  last = filename.replace('\\', '/').rpartition('/')[2]
  printable = ''.join(c for c in last if c.isprintable())
  return printable.encode('utf-8', 'replace').decode()[:_NAME_LENGTH]


class Extractor:
  """Features for a hasher of frames [M, L].

  Attributes:
    backbone: whose features they are.
    disk: room for uploads while they arrive and wait.
    room: for those that have arrived and wait, or are in a decoder.
  """

  def __init__(
    self,
    pool: decoders.Pool,
    backbone: str,
    shape: tuple[int, int],
    bounds: limits.Limits,
  ):
    self.backbone = backbone
    self.disk = rooms.Room(
      bounds.videos * bounds.upload_bytes,
      'The service holds as many uploads as it has disk for',
    )
    self.room = rooms.room(bounds.videos, 'videos')
    self._pool, self._shape = pool, shape
    self._job = {
      'do': 'features',
      'num_frames': shape[0],
      'limits': {
        'max_duration': bounds.duration,
        'max_frames': bounds.frames,
        'max_pixels': bounds.pixels,
      },
    }

  async def extract(
    self, upload: Upload
  ) -> tuple[np.ndarray, dict[str, Any], str]:
    """What the decoding process makes of an upload.

    Returns:
      Features float16 [M, L], finite; metadata: name, backbone, duration and
      frame_times in seconds, width and height in pixels; a thumbnail, a JPEG as
      a data: address.

    Raises:
      Problem: status 422, the video cannot be used; 503, not now.
    """
    job = {**self._job, 'name': upload.name or 'The file'}
    with self.room.share(1):
      try:
        fields, (features, picture) = await self._pool.run(job, upload.file)
      except errors.UserError as error:
        raise problems.Problem(422, str(error)) from error
    frames, known = _checked(fields, features, self._shape)
    metadata = {'name': upload.name, 'backbone': self.backbone, **known}
    address = 'data:image/jpeg;base64,' + base64.b64encode(picture).decode()
    return frames, metadata, address


def _checked(
  fields: dict[str, Any], features: bytes, shape: tuple[int, int]
) -> tuple[np.ndarray, dict[str, Any]]:
  """A process that a file has taken over may say anything."""
  try:
    frames = np.frombuffer(features, '<f2').reshape(shape)
    times = [float(time) for time in fields['frame_times']]
    duration = float(fields['duration'])
    width, height = (max(int(side), 0) for side in fields['size'])
    if np.isfinite(frames).all() and np.isfinite([duration, *times]).all():
      known = {'duration': duration, 'frame_times': times}
      return frames, known | {'width': width, 'height': height}
  except (KeyError, OverflowError, TypeError, ValueError):
    pass
  raise problems.Problem(
    422, 'The video gives features that are no numbers; encode it again.'
  )
