"""Metadata as text, and the hashes by which a video is found by it."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping
from typing import Any

from nph_jax import errors


class BadMetadata(errors.UserError):
  """Metadata that cannot be kept.

  Attributes:
    number: of the video, from 0 among those that were added together.
    why: the rest of the sentence.
  """

  def __init__(self, number: int, why: str):
    super().__init__(f'metadata of video {number}: {why}')
    self.number, self.why = number, why


def to_text(metadata: Mapping[str, Any], number: int) -> str:
  """Metadata as JSON; '' for none.

  Raises:
    BadMetadata: it is no mapping that JSON can hold; `number` names the video.
  """
  if not metadata:
    return ''
  if not isinstance(metadata, Mapping):
    raise BadMetadata(number, f'{metadata!r:.40} is no dict; give one.')
  try:
    # Through dict: json would write another mapping as something else.
    text = json.dumps(dict(metadata), ensure_ascii=False, allow_nan=False)
    text.encode()  # SQLite takes no half characters
  except (TypeError, ValueError, RecursionError) as error:
    raise BadMetadata(
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
  content = f'{name}\0{text}'.encode(errors='surrogatepass')
  digest = hashlib.blake2b(content, digest_size=8).digest()
  return int.from_bytes(digest, 'little', signed=True)


def is_plain(value: Any) -> bool:
  """Whether a filter may name `value`."""
  return isinstance(value, str | int | float)
