"""What the service and its decoding processes say to each other.

JSON and plain bytes: a process that a hostile file has taken over can send
wrong values, but nothing that runs here.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

MAX_BYTES = 256 << 20


def pack(fields: dict[str, Any], blobs: Sequence[bytes] = ()) -> bytes:
  """One message of `fields`, JSON values, and `blobs`."""
  head = {'fields': fields, 'sizes': [len(blob) for blob in blobs]}
  return b'\n'.join([json.dumps(head).encode(), b''.join(blobs)])


def unpack(message: bytes) -> tuple[dict[str, Any], list[bytes]]:
  """The inverse of `pack`.

  Raises:
    ValueError: it is not a message.
  """
  first, _, rest = message.partition(b'\n')
  head = json.loads(first)
  if not isinstance(head, dict) or not isinstance(head.get('fields'), dict):
    raise ValueError('not a message')
  sizes = head['sizes']
  if any(size < 0 for size in sizes) or sum(sizes) != len(rest):
    raise ValueError('not a whole message')
  blobs, start = [], 0
  for size in sizes:
    blobs.append(rest[start : start + size])
    start += size
  return head['fields'], blobs
