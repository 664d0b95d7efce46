"""Metadata as text, and the hashes by which a video is found by it."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np

from nph_jax.index import errors


def to_text(metadata: Mapping[str, Any], number: int) -> str | None:
  """Metadata as JSON; None for none.

  Raises:
    BadMetadata: it is no mapping that JSON can hold; `number` names the video.
  """
  if not metadata:
    return None
  if not isinstance(metadata, Mapping):
    raise errors.BadMetadata(number, f'{metadata!r:.40} is no dict; give one.')
  try:
    # Through dict: json would write another mapping as something else.
    text = json.dumps(dict(metadata), ensure_ascii=False, allow_nan=False)
    text.encode()  # SQLite takes no half characters
  except (TypeError, ValueError, RecursionError) as error:
    raise errors.BadMetadata(
      number,
      f'cannot be written as JSON ({error}); give a dict of texts, finite '
      'numbers, true, false, and lists of them.',
    ) from error
  return text


def hashes(metadata: Mapping[str, Any]) -> Iterator[int]:
  """A hash for each value that a filter may name, once each.

  A list counts by its members. Lists of fractions, such as the times of
  frames, are left out: nobody looks for one.
  """
  seen = set()
  for name, value in metadata.items():
    members = value if isinstance(value, list | tuple) else [value]
    if isinstance(value, list | tuple):
      members = [member for member in value if not isinstance(member, float)]
    seen.update(hash_of(name, x) for x in members if is_plain(x))
  yield from seen


def hash_of(name: str, value: Any) -> int:
  """64 bits for a name and a value; 7 and '7' are the same value.

  Two of a hundred million values share one with a chance of 1 in 3,000.
  """
  text = value if isinstance(value, str) else json.dumps(value)
  return _digest(f'{name}\0{text}'.encode(errors='surrogatepass'))


def file(metadata: Mapping[str, Any]) -> int | None:
  """The hash of the `hash` that extraction made of a file, None without one."""
  made = metadata.get('hash')
  return hash_of('hash', made) if isinstance(made, str) else None


def is_plain(value: Any) -> bool:
  """Whether a filter may name `value`."""
  return isinstance(value, str | int | float)


def contents(features: np.ndarray) -> np.ndarray:
  """64 bits int64 [n] that stand for the features [n, M, L] of each video."""
  features = np.ascontiguousarray(features, np.float16)
  return np.array([_digest(video) for video in features], np.int64)


def _digest(content: bytes | np.ndarray) -> int:
  digest = hashlib.blake2b(content, digest_size=8).digest()
  return int.from_bytes(digest, 'little', signed=True)
