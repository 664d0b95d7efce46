"""Which files may reach the decoder: video containers, by their first bytes."""

from __future__ import annotations

from nph_jax.service import problems

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
