"""What goes into an index from files: codes, t and metadata, in blocks."""

from __future__ import annotations

import datetime
import itertools
import os
from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

import numpy as np

from nph_jax import errors
from nph_jax.data import blocks
from nph_jax.index import metadata
from nph_jax.retrieval import code_files

_CODES_BLOCK = 2**16  # videos


class Block(NamedTuple):
  """Codes [n, P], t [n, K] or None, and n dicts or None."""

  codes: np.ndarray
  relaxed: np.ndarray | None
  metadata: list[dict[str, Any]] | None


class FeatureSource:
  """Videos whose features lie in files, hashed on the way."""

  def __init__(
    self, hasher: Any, paths: Sequence[str], about: metadata.Metadata
  ):
    """Reads the headers.

    Raises:
      UserError: a file cannot be read, has other frames than the hasher reads,
        or `about` is of another number of videos.
    """
    self._hasher, self._paths, self._about = hasher, paths, about
    with blocks.FeatureFiles(paths) as files:
      shape = files.shape
    if shape[1:] != (hasher.num_frames, hasher.feature_dim):
      raise errors.UserError(
        f'{paths[0]}: {shape[1]} frames of width {shape[2]}, but the bundle '
        f'reads {hasher.num_frames} of width {hasher.feature_dim}; use '
        'features extracted the way those it was trained on were.'
      )
    self.num_videos, self.num_bits = shape[0], hasher.num_bits
    self.name = f'{_stamp(paths)} by the bundle {hasher.digest}'
    about.check(self.num_videos)

  def place(self, number: int) -> str:
    """Where the metadata of a video stands."""
    return self._about.place(number)

  def blocks(self, start: int) -> Iterator[Block]:
    """Yields the videos from number `start` on."""
    size = self._hasher.block_size
    rows = self._about.rows(start)
    with blocks.FeatureFiles(self._paths) as files:
      starts = range(start, self.num_videos, size)
      read = (
        files.read(first, min(first + size, self.num_videos))
        for first in starts
      )
      for codes, relaxed in self._hasher.encode_blocks(read):
        yield Block(codes, relaxed, _take(rows, len(codes)))


class CodeSource:
  """Packed codes in a file, without t."""

  def __init__(self, path: str, about: metadata.Metadata):
    """Reads the file.

    Raises:
      UserError: it cannot be read, or `about` is of another number of videos.
    """
    self._codes = code_files.read_codes(path)
    self._about = about
    self.num_videos, num_bytes = self._codes.shape
    self.num_bits = 8 * num_bytes
    self.name = _stamp([path])
    about.check(self.num_videos)

  def place(self, number: int) -> str:
    """Where the metadata of a video stands."""
    return self._about.place(number)

  def blocks(self, start: int) -> Iterator[Block]:
    """Yields the videos from number `start` on."""
    rows = self._about.rows(start)
    for first in range(start, self.num_videos, _CODES_BLOCK):
      codes = self._codes[first : first + _CODES_BLOCK]
      yield Block(codes, None, _take(rows, len(codes)))


def _take(
  rows: Iterator[dict[str, Any]] | None, count: int
) -> list[dict[str, Any]] | None:
  """The next `count` of `rows`."""
  return None if rows is None else list(itertools.islice(rows, count))


def _stamp(paths: Sequence[str]) -> str:
  """Names files so that changed ones have another name."""
  return ', '.join(f'{os.path.abspath(x)} ({_version(x)})' for x in paths)


def _version(path: str) -> str:
  stat = os.stat(path)
  changed = datetime.datetime.fromtimestamp(stat.st_mtime, datetime.UTC)
  # The time too: features extracted anew have as many bytes.
  return f'{stat.st_size} bytes of {changed.isoformat()}'
