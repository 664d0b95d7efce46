"""Videos and results as callers see them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from nph_jax import errors
from nph_jax.service import listing, uploads
from nph_jax.service import service as service_lib

_MARK = 8  # characters of a hash


def video(
  service: service_lib.Service, id: int, metadata: Mapping[str, Any]
) -> dict[str, Any]:
  """An indexed video: its metadata, and where its file and pictures are.

  Addresses are relative to the service's, which a proxy may have moved.
  """
  # Not looked for on the disk: a page of results would wait for that.
  kind = uploads.MEDIA_TYPES.get(service.videos.suffix(metadata))
  # Another video may have had the id, and browsers keep what they have seen.
  known = metadata.get('hash')
  mark = f'?of={known[:_MARK]}' if isinstance(known, str) else ''
  return {
    'id': id,
    'metadata': service.videos.public(metadata),
    'type': kind,
    'file': kind and f'videos/{id}/file{mark}',
    'converted': kind and f'videos/{id}/converted{mark}',
    'thumbnail': f'videos/{id}/thumbnail{mark}',
    'preview': kind and f'videos/{id}/preview{mark}',
  }


def query(
  service: service_lib.Service, id: int | None, seen: service_lib.Seen
) -> dict[str, Any]:
  """What was searched with: an indexed video, or what was sent."""
  if id is not None:
    return video(service, id, seen.metadata)
  return {
    'id': None,
    'metadata': service.videos.public(seen.metadata),
    'thumbnail': seen.thumbnail,
    'upload': seen.key,
  }


def code(seen: service_lib.Seen) -> dict[str, Any]:
  """Its bits and t, as /search/code takes them."""
  return {
    'code': np.unpackbits(seen.code).tolist(),
    'relaxed': None if seen.relaxed is None else seen.relaxed.tolist(),
  }


def result(
  service: service_lib.Service,
  hit: Any,
  similarity: float,
  seen: service_lib.Seen,
) -> dict[str, Any]:
  """A hit; `relevant` says whether it shares a label, None if unknown."""
  found, wanted = listing.labels(hit.metadata), listing.labels(seen.metadata)
  known = bool(wanted and found)
  return {
    **video(service, hit.id, hit.metadata),
    'distance': hit.distance,
    'score': hit.score,
    'similarity': similarity,
    'relevant': bool(set(found) & set(wanted)) if known else None,
    'start': hit.start,
    'end': hit.end,
  }


def add_differing_bits(
  service: service_lib.Service,
  results: Sequence[dict[str, Any]],
  code: np.ndarray,
) -> None:
  """Adds `differing_bits` to each result, their places from 0."""
  for shown in results:
    try:
      other, _, _ = service.index.get(shown['id'])
    except errors.UserError:  # removed a moment ago
      shown['differing_bits'] = None
      continue
    differing = np.unpackbits(np.bitwise_xor(other, code))
    shown['differing_bits'] = np.flatnonzero(differing).tolist()


def placeholder(code: np.ndarray) -> bytes:
  """An SVG for a video without pictures: its code, one square for each bit."""
  bits = np.unpackbits(code).tolist()
  divisors = [n for n in range(1, len(bits) + 1) if len(bits) % n == 0]
  columns = min(divisors, key=lambda n: abs(n - (len(bits) * 4 / 3) ** 0.5))
  squares = ''.join(
    f'<rect x="{1.05 + place % columns:g}" y="{1.05 + place // columns:g}" '
    f'width=".9" height=".9" rx=".1" fill-opacity="{0.85 if bit else 0.18}"/>'
    for place, bit in enumerate(bits)
  )
  size = f'{columns + 2} {len(bits) // columns + 2}'
  return (
    '<svg xmlns="http://www.w3.org/2000/svg" width="320" height="240" '
    f'viewBox="0 0 {size}"><g fill="#7f8ba3">{squares}</g></svg>'
  ).encode()
