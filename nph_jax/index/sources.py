"""What goes into an index from files: codes, t and metadata, in blocks."""

from __future__ import annotations

import collections
import datetime
import itertools
import json
import os
from collections.abc import Collection, Iterator, Sequence
from typing import Any, NamedTuple

import numpy as np

from nph_jax.data import blocks
from nph_jax.index import facets, metadata
from nph_jax.retrieval import code_files

_CODES_BLOCK = 2**16  # videos


class Block(NamedTuple):
  """Some videos.

  Attributes:
    codes: uint8 [n, P].
    relaxed: t [n, K] or None.
    metadata: n dicts or None.
    contents: int64 [n], of their features, or None.
  """

  codes: np.ndarray
  relaxed: np.ndarray | None
  metadata: list[dict[str, Any]] | None
  contents: np.ndarray | None

  def take(self, rows: np.ndarray) -> Block:
    """Those of these rows."""
    pick = lambda x: None if x is None else x[rows]  # noqa: E731
    about = self.metadata and [self.metadata[row] for row in rows]
    return Block(
      self.codes[rows], pick(self.relaxed), about, pick(self.contents)
    )

  def known_by(self) -> list[tuple[int | None, int | None]]:
    """What each video is known by: its features, its file's hash."""
    nothing: list[None] = [None] * len(self.codes)
    contents = nothing if self.contents is None else self.contents.tolist()
    files = (
      nothing if self.metadata is None else map(facets.file, self.metadata)
    )
    return list(zip(contents, files))


def joined(parts: Sequence[Block]) -> Block:
  """Blocks behind each other as one."""
  codes, relaxed, about, contents = zip(*parts)
  join = lambda x: None if x[0] is None else np.concatenate(x)  # noqa: E731
  rows = None if about[0] is None else [row for part in about for row in part]
  return Block(np.concatenate(codes), join(relaxed), rows, join(contents))


class FeatureSource:
  """Videos whose features lie in files, hashed on the way.

  Attributes:
    num_videos, num_bits: how many, and K.
    about: their metadata.
    name: stands for the files of videos and metadata, as they are now.
  """

  def __init__(
    self, hasher: Any, paths: Sequence[str], about: metadata.Metadata
  ):
    """Reads the headers.

    Raises:
      UserError: a file cannot be read, has other frames than the hasher reads,
        or `about` is of another number of videos.
    """
    self._hasher, self._paths, self.about = hasher, paths, about
    with blocks.FeatureFiles(paths) as files:
      files.check_read_by(hasher)
      self.num_videos, self.num_bits = files.shape[0], hasher.num_bits
    self.name = _name(paths, about, hasher.digest)
    about.check(self.num_videos)

  def blocks(self, start: int) -> Iterator[Block]:
    """Yields the videos from number `start` on."""
    rows, size = self.about.rows(start), self._hasher.block_size
    contents: collections.deque[np.ndarray] = collections.deque()
    with blocks.FeatureFiles(self._paths) as files:

      def read() -> Iterator[np.ndarray]:
        for first in range(start, self.num_videos, size):
          features = files.read(first, min(first + size, self.num_videos))
          contents.append(facets.contents(features))
          yield features

      for codes, relaxed in self._hasher.encode_blocks(read()):
        about = _take(rows, len(codes))
        yield Block(codes, relaxed, about, contents.popleft())


class CodeSource:
  """Packed codes in a file, without t; attributes as of FeatureSource."""

  def __init__(self, path: str, about: metadata.Metadata):
    """Reads the file.

    Raises:
      UserError: it cannot be read, or `about` is of another number of videos.
    """
    self._codes, self.about = code_files.read_codes(path), about
    self.num_videos, self.num_bits = len(self._codes), 8 * self._codes.shape[1]
    self.name = _name([path], about)
    about.check(self.num_videos)

  def blocks(self, start: int) -> Iterator[Block]:
    """Yields the videos from number `start` on."""
    rows = self.about.rows(start)
    for first in range(start, self.num_videos, _CODES_BLOCK):
      codes = self._codes[first : first + _CODES_BLOCK]
      yield Block(codes, None, _take(rows, len(codes)), None)


def changed_flags(name: str, names: Collection[str]) -> list[str]:
  """Flags by which the first of `names` of the same videos differs.

  None where `name` is one of them.
  """
  if name in names:
    return []
  mine = json.loads(name)
  same_videos = json.dumps({'videos': mine['videos']})[:-1]
  for other in names:
    if other.startswith(same_videos):
      old = json.loads(other)
      return sorted(
        f'--{flag}'
        for flag in {**old, **mine}
        if old.get(flag) != mine.get(flag)
      )
  return []


def _name(
  paths: Sequence[str], about: metadata.Metadata, bundle: str | None = None
) -> str:
  """Stands for videos and metadata: other ones have another."""
  files = {'videos': paths, **about.files}
  names = {flag: ', '.join(map(_stamp, files[flag])) for flag in files}
  if bundle is not None:
    names['videos'] += f' by the bundle {bundle}'
  return json.dumps(names)


def _stamp(path: str) -> str:
  """A file's name, size and time: features extracted anew may be as long."""
  stat = os.stat(path)
  changed = datetime.datetime.fromtimestamp(stat.st_mtime, datetime.UTC)
  return (
    f'{os.path.abspath(path)} ({stat.st_size} bytes of {changed.isoformat()})'
  )


def _take(
  rows: Iterator[dict[str, Any]] | None, count: int
) -> list[dict[str, Any]] | None:
  """The next `count` of `rows`."""
  return None if rows is None else list(itertools.islice(rows, count))
