"""What goes into an index from files: codes, t and metadata, in blocks."""

from __future__ import annotations

import collections
import itertools
import json
from collections.abc import Iterable, Iterator, Sequence
from typing import Any, NamedTuple

import numpy as np

from nph_jax import errors
from nph_jax.data import blocks
from nph_jax.index import facets, metadata, stamps
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


class _Source:
  """Videos from files.

  Attributes:
    num_videos, num_bits: how many, and K.
    videos: stands for them.
    about: their metadata.
  """

  num_videos: int
  num_bits: int
  videos: str
  about: metadata.Metadata

  @property
  def name(self) -> str:
    """Stands for the videos and their metadata."""
    about = self.about.stamps
    return f'{self.videos} {json.dumps(about)}' if about else self.videos

  def changed_flags(self, names: Iterable[str]) -> list[str]:
    """Flags by which the same videos under one of `names` differ from these."""
    for name in names:
      old = _about_of(name, self.videos)
      if old not in (None, self.about.stamps):
        return sorted(
          f'--{flag}'
          for flag in {**old, **self.about.stamps}
          if old.get(flag) != self.about.stamps.get(flag)
        )
    return []


class FeatureSource(_Source):
  """Videos whose features lie in files, hashed on the way."""

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
      shape = files.shape
    if shape[1:] != (hasher.num_frames, hasher.feature_dim):
      raise errors.UserError(
        f'{paths[0]}: {shape[1]} frames of width {shape[2]}, but the bundle '
        f'reads {hasher.num_frames} of width {hasher.feature_dim}; use '
        'features extracted the way those it was trained on were.'
      )
    self.num_videos, self.num_bits = shape[0], hasher.num_bits
    self.videos = f'{stamps.of(paths)} by the bundle {hasher.digest}'
    about.check(self.num_videos)

  def blocks(self, start: int) -> Iterator[Block]:
    """Yields the videos from number `start` on."""
    size = self._hasher.block_size
    rows = self.about.rows(start)
    with blocks.FeatureFiles(self._paths) as files:
      starts = range(start, self.num_videos, size)
      contents: collections.deque[np.ndarray] = collections.deque()

      def read() -> Iterator[np.ndarray]:
        for first in starts:
          features = files.read(first, min(first + size, self.num_videos))
          contents.append(facets.contents(features))
          yield features

      for codes, relaxed in self._hasher.encode_blocks(read()):
        about = _take(rows, len(codes))
        yield Block(codes, relaxed, about, contents.popleft())


class CodeSource(_Source):
  """Packed codes in a file, without t."""

  def __init__(self, path: str, about: metadata.Metadata):
    """Reads the file.

    Raises:
      UserError: it cannot be read, or `about` is of another number of videos.
    """
    self._codes = code_files.read_codes(path)
    self.about = about
    self.num_videos, num_bytes = self._codes.shape
    self.num_bits = 8 * num_bytes
    self.videos = stamps.of([path])
    about.check(self.num_videos)

  def blocks(self, start: int) -> Iterator[Block]:
    """Yields the videos from number `start` on."""
    rows = self.about.rows(start)
    for first in range(start, self.num_videos, _CODES_BLOCK):
      codes = self._codes[first : first + _CODES_BLOCK]
      yield Block(codes, None, _take(rows, len(codes)), None)


def _about_of(name: str, videos: str) -> dict[str, str] | None:
  """The metadata's stamps in the name of a source, None if of others."""
  if not name.startswith(videos):
    return None
  try:
    about = json.loads(name.removeprefix(videos) or '{}')
  except ValueError:
    return None
  return about if isinstance(about, dict) else None


def _take(
  rows: Iterator[dict[str, Any]] | None, count: int
) -> list[dict[str, Any]] | None:
  """The next `count` of `rows`."""
  return None if rows is None else list(itertools.islice(rows, count))


def joined(parts: Sequence[Block]) -> Block:
  """Blocks behind each other as one."""
  codes, relaxed, about, contents = zip(*parts)
  join = lambda x: None if x[0] is None else np.concatenate(x)  # noqa: E731
  rows = None if about[0] is None else [row for part in about for row in part]
  return Block(np.concatenate(codes), join(relaxed), rows, join(contents))


def known(index: Any, block: Block) -> list[list[int]]:
  """Ids in the index of each of these videos; see `VideoIndex.known`."""
  contents: list[int | None] = [None] * len(block.codes)
  if block.contents is not None:
    contents = block.contents.tolist()
  return index.known(contents, block.metadata)


def keys(block: Block, row: int) -> set[tuple[str, int]]:
  """What a video is known by: its features, its file's hash."""
  about = {} if block.metadata is None else block.metadata[row]
  content = None if block.contents is None else int(block.contents[row])
  found = {'file': facets.file(about), 'features': content}
  return {(x, found[x]) for x in found if found[x] is not None}
