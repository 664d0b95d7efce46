"""Which files there are, and what became of them since they were last seen.

A file is known by its path, bytes and time; where one of these is another, by
its content, which is read only of files with as many bytes as a known one.
"""

from __future__ import annotations

import collections
import os
from collections.abc import Sequence
from typing import NamedTuple

from nph_jax import errors
from nph_jax.extraction import files, tasks
from nph_jax.library import store

# What may become of a file. The last three are to be extracted.
KNOWN, BAD, TOUCHED, MOVED, COPY, NEW, CHANGED, AGAIN = (
  'known', 'bad', 'touched', 'moved', 'copy', 'new', 'changed', 'again'
)  # fmt: skip


class Found(NamedTuple):
  """One file, and what became of it.

  Attributes:
    kind: one of the above.
    video: the file as it is now, its path absolute.
    file: what was known: of the file, or of the one that has its content.
  """

  kind: str
  video: files.Video
  file: store.File | None


def check(places: Sequence[str]) -> None:
  """Raises a UserError where a place is not there."""
  for place in places:
    if not os.path.exists(place):
      raise errors.UserError(
        f'{place}: no such file or folder; give videos, or folders of them.'
      )


def find(
  places: Sequence[str], known: Sequence[store.File]
) -> tuple[list[files.Video], dict[str, int]]:
  """All videos in folders, and those named one by one.

  Args:
    places: folders and files.
    known: files of the library; a folder that held some may hold none now.

  Returns:
    The videos, each once, and how many other files there are by suffix.

  Raises:
    UserError: a place is not there, or a folder holds no video.
  """
  check(places)
  found, ignored = {}, collections.Counter()
  for place in map(os.path.abspath, places):
    if not os.path.isdir(place):
      some = [files.Video(place, files.stamp(place))]
    else:
      some, others = files.find(place)
      if not some and not any(_is_below(x.path, place) for x in known):
        raise errors.UserError(
          f'{place}: holds no video; expected {", ".join(files.SUFFIXES)} or '
          'the like, in folders as deep as you like.'
        )
      ignored += others
    found |= {video.path: video for video in some}
  return list(found.values()), dict(ignored.most_common())


def compare(
  videos: Sequence[files.Video],
  known: Sequence[store.File],
  retry: bool = False,
) -> list[Found]:
  """What became of each of `videos`.

  Args:
    videos: of `find`.
    known: all files of the library.
    retry: bad files are to be extracted once more.
  """
  by_path = {file.path: file for file in known}
  by_size = collections.defaultdict(list)
  for file in known:
    if not file.is_bad:
      by_size[file.stamp[0]].append(file)
  taken: set[int] = set()
  found = []
  for video in videos:
    old = by_path.get(video.path)
    if old is not None and old.stamp == video.stamp:
      kind = (AGAIN if retry else BAD) if old.is_bad else KNOWN
      found.append(Found(kind, video, old))
      continue
    made = _by_content(video, old, by_size[video.stamp[0]], taken)
    if made.kind == MOVED:
      taken.add(made.file.number)
    found.append(made)
  return found


def _by_content(
  video: files.Video,
  old: store.File | None,
  as_large: Sequence[store.File],
  taken: set[int],
) -> Found:
  """What became of a file that is not as it was, or was not there."""
  equal = _equal(video.path, as_large)
  if old in equal:
    return Found(TOUCHED, video, old)
  gone = [
    file
    for file in equal
    if not os.path.lexists(file.path) and file.number not in taken
  ]
  if old is not None:
    return Found(CHANGED, video, old)
  if gone:
    return Found(MOVED, video, gone[0])
  # One that has changed meanwhile is no longer what was known of it.
  whole = [x for x in equal if files.stamp(x.path) == x.stamp]
  return Found(COPY, video, whole[0]) if whole else Found(NEW, video, None)


def _equal(path: str, as_large: Sequence[store.File]) -> list[store.File]:
  """Those of the known files that have the content of this one."""
  if not as_large:
    return []
  try:
    with open(path, 'rb') as file:
      content = tasks.digest(file)
  except OSError:
    return []  # which extraction will report
  return [file for file in as_large if file.record.get('hash') == content]


def gone(
  places: Sequence[str], known: Sequence[store.File], found: Sequence[Found]
) -> list[store.File]:
  """Known files in or at `places` that are there no more, nor elsewhere."""
  moved = {x.file.number for x in found if x.kind == MOVED}
  roots = [os.path.abspath(place) for place in places]
  return [
    file
    for file in known
    if file.number not in moved
    and any(_is_below(file.path, root) for root in roots)
    and not os.path.lexists(file.path)
  ]


def _is_below(path: str, root: str) -> bool:
  return path == root or path.startswith(root.rstrip(os.sep) + os.sep)
