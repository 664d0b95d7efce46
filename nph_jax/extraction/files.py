"""Which videos there are, in which order, and what their folders call them."""

from __future__ import annotations

import collections
import dataclasses
import os
import pathlib
import zlib
from collections.abc import Iterable, Iterator, Sequence
from typing import NoReturn

import numpy as np

from nph_jax import errors
from nph_jax.data import labels as label_files

SUFFIXES = (
  '.mp4', '.m4v', '.mov', '.avi', '.mkv', '.webm', '.ts', '.m2ts', '.mts',
  '.mpg', '.mpeg', '.vob', '.wmv', '.asf', '.flv', '.3gp', '.3g2', '.ogv',
  '.gif', '.webp',
)  # fmt: skip
# Those that other kinds of files end in too, or pictures that do not move.
_AMBIGUOUS = ('.ts', '.gif', '.webp')
# Of network drives, waste bins and archives: copies and thumbnails.
_PASSED_OVER = frozenset(
  (
    '@eadir', '#recycle', '#snapshot', '$recycle.bin', '__macosx',
    'lost+found', 'system volume information',
  )
)  # fmt: skip
_HEAD = 1024


@dataclasses.dataclass(frozen=True)
class Video:
  """One video file.

  Attributes:
    path: where to open it.
    stamp: bytes and time of the last change: whether it is still the same.
  """

  path: str
  stamp: tuple[int, int]


def find(folder: str) -> tuple[list[Video], collections.Counter[str]]:
  """All videos below a folder, whatever their names end in, and the rest.

  Hidden files and what systems leave in folders are passed over.

  Returns:
    The videos, sorted by path, and how many other files there are by suffix.

  Raises:
    UserError: a folder cannot be read.
  """
  videos, others = [], collections.Counter()
  for path in _visible(folder):
    if _is_one(path):
      videos.append(Video(path, stamp(path)))
    else:
      others[pathlib.PurePath(path).suffix.lower() or 'none'] += 1
  return sorted(videos, key=lambda video: video.path), others


def _visible(folder: str) -> Iterator[str]:
  seen = set()
  for parent, folders, names in os.walk(
    folder, onerror=_stop, followlinks=True
  ):
    # A link to a folder above would be followed for ever.
    if os.path.realpath(parent) in seen:
      folders.clear()
      continue
    seen.add(os.path.realpath(parent))
    folders[:] = sorted(
      name
      for name in folders
      if not name.startswith('.') and name.lower() not in _PASSED_OVER
    )
    for name in names:
      if not name.startswith('.'):
        yield os.path.join(parent, name)


def stamp(path: str) -> tuple[int, int]:
  """Bytes and time of a file, zeros where there is none."""
  try:
    stat = os.stat(path)
  except OSError:
    return (0, 0)
  return stat.st_size, stat.st_mtime_ns


def check_folder(folder: str) -> None:
  """Raises a UserError where there is no such folder."""
  if not os.path.isdir(folder):
    raise errors.UserError(
      f'--videos={folder}: no such folder; expected one with videos in it.'
    )


def _stop(error: OSError) -> NoReturn:
  raise errors.UserError(
    f'{error.filename}: cannot be read ({error.strerror}); change its '
    'permissions or move it elsewhere.'
  ) from error


def _is_one(path: str) -> bool:
  # A damaged file is a video too, as is a link to nowhere, to be reported with
  # the others.
  sure = path.lower().endswith(SUFFIXES)
  if sure and not path.lower().endswith(_AMBIGUOUS):
    return True
  try:
    with open(path, 'rb') as file:
      return moves(file.read(_HEAD))
  except OSError:
    return sure


def moves(head: bytes) -> bool:
  """Whether a file of which `head` are the first bytes holds video.

  Of what may be sound or pictures alone, only what says that it moves.
  """
  if head[4:8] == b'ftyp':
    brand = head[8:12].lower()
    return not brand.startswith((b'm4a', b'm4b', b'hei', b'mif', b'avif'))
  if head[:4] == b'RIFF':
    animated = head[12:16] == b'VP8X' and head[20:21] and head[20] & 2
    return head[8:12] == b'AVI ' or (head[8:12] == b'WEBP' and bool(animated))
  if head[:4] == b'GIF8':
    return b'NETSCAPE2.0' in head
  if head[:4] == b'OggS':
    return b'theora' in head
  # MPEG transport streams, bare or with the time stamps of Blu-ray; then
  # MPEG program streams, Matroska, ASF and FLV.
  return (
    (head[:1] == head[188:189] == head[376:377] == b'G')
    or (head[4:5] == head[196:197] == head[388:389] == b'G')
    or head.startswith(
      (b'\0\0\1\xba', b'\x1aE\xdf\xa3', b'0&\xb2u\x8ef\xcf\x11', b'FLV\1')
    )
  )


def name_below(path: str, folder: str) -> str:
  """The path of a file below a folder, with slashes."""
  return pathlib.PurePath(os.path.relpath(path, folder)).as_posix()


def in_shard(name: str, number: int, total: int) -> bool:
  """Whether a video of this name is in part `number` of `total`, for good."""
  return zlib.crc32(os.fsencode(name)) % total == number


def is_text(path: str) -> bool:
  """Whether a path is UTF-8, as JSON and SQLite want it."""
  try:
    path.encode()
  except UnicodeEncodeError:
    return False
  return True


def label_of(path: str) -> str:
  """The name of the folder that holds the file."""
  return os.path.basename(os.path.dirname(os.path.abspath(path)))


def label_names(found: Iterable[str], given: str | None) -> list[str]:
  """The labels `found`, sorted; or those of the file `given`, in its order.

  Args:
    found: of all shards, so that they agree on the columns.
    given: JSON list of names, as an earlier extraction wrote it.

  Raises:
    UserError: `given` is no such list, or lacks one that was found.
  """
  if given is None:
    return sorted(set(found))
  names = label_files.read_names(given)
  if len(set(names)) != len(names):
    raise errors.UserError(
      f'{given}: expected a JSON list of names, each once.'
    )
  for label in sorted(set(found) - set(names)):
    raise errors.UserError(
      f'{given}: lacks the label {label!r}, a folder of videos; add it, or '
      'extract all sets with a file that names the labels of all.'
    )
  return names


def multi_hot(labels: Sequence[str], names: Sequence[str]) -> np.ndarray:
  """The label of every video as uint8 [N, names] in {0, 1}."""
  columns = {name: column for column, name in enumerate(names)}
  array = np.zeros((len(labels), len(names)), np.uint8)
  for row, label in zip(array, labels):
    row[columns[label]] = 1
  return array
