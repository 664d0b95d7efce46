"""All videos as they are browsed: which ones, and in which order."""

from __future__ import annotations

import collections
import math
import pathlib
import threading
from collections.abc import Mapping, Sequence
from typing import Any, Literal, NamedTuple

from nph_jax.service import library as library_lib
from nph_jax.service import problems

Sort = Literal['added', 'name', 'date', 'duration']
_PAGE = 1000
# Videos of an index; of more, all metadata would be too much to read and hold.
_MOST = 100_000


class Entry(NamedTuple):
  """What one video is found and sorted by.

  Attributes:
    id: in the index.
    name: of its file.
    labels: of its metadata.
    duration: in seconds, NaN if not known.
    date: of its file's last change, seconds since 1970; NaN if not known.
  """

  id: int
  name: str
  labels: tuple[str, ...]
  duration: float
  date: float


def labels(metadata: Mapping[str, Any]) -> list[str]:
  """The labels of a video, whatever a caller called that."""
  found = metadata.get('labels', [])
  found = found if isinstance(found, list) else [found]
  return [label for label in found if isinstance(label, str)]


def name(metadata: Mapping[str, Any]) -> str:
  """What a video is called, '' where nothing says so."""
  found = metadata.get('name') or metadata.get('path')
  return pathlib.PurePath(found).name if isinstance(found, str) else ''


def _number(value: Any) -> float:
  return float(value) if isinstance(value, int | float) else math.nan


class Listing:
  """The videos of an index; read again whenever that has changed."""

  def __init__(self, index: Any, videos: library_lib.Library):
    self._index, self._videos = index, videos
    self._lock = threading.Lock()
    self._version: Any = None
    self._entries: list[Entry] = []

  def ids(
    self, text: str, label: str | None, sort: Sort, descending: bool
  ) -> Sequence[int]:
    """Ids of the videos that are wanted, in order.

    Args:
      text: that the name holds, in any case.
      label: that they have; None for any.
      sort: by what; what is not known comes last.
      descending: the greatest first.

    Raises:
      Problem: status 422, there are too many to be found or sorted so.
    """
    if not text and label is None and sort == 'added':
      ids = self._index.ids()
      return (ids[::-1] if descending else ids).tolist()
    if len(self._index) > _MOST:
      raise problems.Problem(
        422,
        f'More than {_MOST:,} videos are listed as they were added only; '
        'search instead.',
      )
    text = text.casefold()
    known, unknown = [], []
    for entry in self._read():
      if text in entry.name.casefold() and (
        label is None or label in entry.labels
      ):
        value = entry.id if sort == 'added' else getattr(entry, sort)
        value = value.casefold() if sort == 'name' else value
        # NaN is not itself.
        (known if value == value and value != '' else unknown).append(
          (value, entry.id)
        )
    known.sort(key=lambda pair: pair[0], reverse=descending)
    return [id for _, id in known + unknown]

  def labels(self) -> list[tuple[str, int]]:
    """Each label and how many videos have it, the commonest first.

    None where there are too many videos.
    """
    if len(self._index) > _MOST:
      return []
    counts = collections.Counter(
      label for entry in self._read() for label in set(entry.labels)
    )
    return sorted(counts.items(), key=lambda x: (-x[1], x[0]))

  def _read(self) -> list[Entry]:
    with self._lock:
      version = self._index.version
      if version != self._version:
        self._entries, last = [], -1
        while page := self._index.items(start_after=last, limit=_PAGE):
          self._entries += [
            Entry(
              id,
              name(about),
              tuple(labels(about)),
              _number(about.get('duration')),
              self._videos.changed(about),
            )
            for id, about in page
          ]
          last = page[-1][0]
        self._version = version
      return self._entries
