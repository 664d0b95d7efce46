"""Names built data by the content of their sources, not by path or date."""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import pathlib
from collections.abc import Sequence

from nph_jax import atomic
from nph_jax.data import moving_digits, progress, sources

CACHE = 'source_digests.json'
_READ_BYTES = 4 << 20


def content_digest(content: bytes) -> int:
  """Returns the first 8 bytes of BLAKE2b as a signed 64-bit integer."""
  digest = hashlib.blake2b(content, digest_size=8).digest()
  return int.from_bytes(digest, 'little', signed=True)


def _hash_file(path: str) -> str:
  digest = hashlib.blake2b(digest_size=16)
  with (
    open(path, 'rb') as file,
    progress.bar(
      f'reading {os.path.basename(path)}',
      os.path.getsize(path),
      'B',
      unit_scale=True,
    ) as bar,
  ):
    while content := file.read(_READ_BYTES):
      digest.update(content)
      bar.update(len(content))
  return digest.hexdigest()


class DigestCache:
  """Digests of files, read again only when their size or time changed."""

  def __init__(self, data_dir: pathlib.Path):
    self._path = data_dir / CACHE
    self._known: dict[str, list[int | str]] = {}
    # A damaged cache costs one more reading of the sources, nothing else.
    with contextlib.suppress(OSError, ValueError):
      self._known = json.loads(self._path.read_text())

  def digest(self, path: str) -> str:
    """Of the file `path`; read only if size or time are new."""
    path = os.path.realpath(path)
    stat = os.stat(path)
    stamp = [stat.st_size, stat.st_mtime_ns]
    if self._known.get(path, [])[:2] != stamp:
      self._known[path] = [*stamp, _hash_file(path)]
      atomic.write_json(self._path, self._known)
    return self._known[path][2]

  def digests(self, paths: Sequence[str]) -> tuple[str, ...]:
    """`digest` of each of `paths`."""
    return tuple(self.digest(path) for path in paths)


def split_sources(
  spec: sources.DataSpec, shape: sources.DataShape, data_dir: pathlib.Path
) -> dict[str, tuple[tuple[str, ...], tuple[str, ...]]]:
  """Returns for every split what its frames and its labels are made of.

  Two splits with equal values hold the same videos (and labels) in the same
  order. Files count by content, generated videos by their parameters.
  """
  if spec.name == 'moving_digits':
    return {
      name: ((name, *map(str, (spec.seed, number, moving_digits.PEAK))), ())
      for name, number in shape.num_videos.items()
    }
  cache = DigestCache(data_dir)
  return {
    name: (
      cache.digests(spec.split(name).features),
      cache.digests(spec.split(name).labels),
    )
    for name in sources.SPLITS
  }


def content_key(*parts: object) -> str:
  """Returns 16 hexadecimal digits that stand for `parts`."""
  return hashlib.blake2b(repr(parts).encode(), digest_size=8).hexdigest()
