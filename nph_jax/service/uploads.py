"""Videos of strangers: known by their first bytes, decoded elsewhere."""

from __future__ import annotations

import base64
import dataclasses
from typing import Any, BinaryIO

import fastapi
import numpy as np

from nph_jax import errors
from nph_jax.extraction import tasks
from nph_jax.service import decoders, limits, problems, rooms

_NAME_LENGTH = 200
HEAD_BYTES = 64
_MP4_BOXES = (b'ftyp', b'moov', b'mdat', b'wide', b'free', b'skip', b'pnot')
# By suffix; a browser finds out by itself what it can play.
MEDIA_TYPES = {
  '.3g2': 'video/3gpp2',
  '.3gp': 'video/3gpp',
  '.asf': 'video/x-ms-asf',
  '.avi': 'video/x-msvideo',
  '.flv': 'video/x-flv',
  '.gif': 'image/gif',
  '.m2ts': 'video/mp2t',
  '.m4v': 'video/mp4',
  '.mkv': 'video/x-matroska',
  '.mov': 'video/quicktime',
  '.mp4': 'video/mp4',
  '.mpeg': 'video/mpeg',
  '.mpg': 'video/mpeg',
  '.mts': 'video/mp2t',
  '.ogv': 'video/ogg',
  '.ts': 'video/mp2t',
  '.vob': 'video/mpeg',
  '.webm': 'video/webm',
  '.webp': 'image/webp',
  '.wmv': 'video/x-ms-wmv',
}


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


def suffix_of(head: bytes) -> str:
  """The file suffix of the container that begins with `head`.

  A decoder tries every format it knows, also those that name other files (a
  playlist, a list of files to join), and would read any file of this machine
  for whoever sends one. So nothing but plain containers reaches it.

  Raises:
    Problem: status 415, it is none of them.
  """
  if head[:4] == b'RIFF' and head[8:12] == b'AVI ':
    return '.avi'
  if head[:4] == b'\x1aE\xdf\xa3':
    return '.webm' if b'webm' in head[:HEAD_BYTES] else '.mkv'
  if head[4:8] in _MP4_BOXES:
    return '.mov' if head[8:12] == b'qt  ' else '.mp4'
  raise problems.Problem(
    415,
    'The file is not a video that this service reads; send mp4, webm, mkv, '
    'mov or avi.',
  )


def received(upload: fastapi.UploadFile) -> Upload:
  """The video of a form; a Problem, status 415, where it is none."""
  suffix = suffix_of(upload.file.read(HEAD_BYTES))
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
