"""Which files may reach the decoder: video containers, by their first bytes."""

from __future__ import annotations

from nph_jax.service import problems

HEAD_BYTES = 64
_MP4_BOXES = (b'ftyp', b'moov', b'mdat', b'wide', b'free', b'skip', b'pnot')
# What browsers play; the others are shown as a few moving frames.
PLAYABLE = {'.mp4': 'video/mp4', '.m4v': 'video/mp4', '.webm': 'video/webm'}
MEDIA_TYPES = PLAYABLE | {
  '.avi': 'video/x-msvideo',
  '.mkv': 'video/x-matroska',
  '.mov': 'video/quicktime',
}


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
