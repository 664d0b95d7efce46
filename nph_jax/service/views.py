"""Videos and results as callers see them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from nph_jax import errors
from nph_jax.service import containers, library
from nph_jax.service import service as service_lib


def video(
  service: service_lib.Service, id: int, metadata: Mapping[str, Any]
) -> dict[str, Any]:
  """An indexed video: its metadata, and where its file and pictures are.

  Addresses are relative to the service's, which a proxy may have moved.
  """
  # Not looked for on the disk: a page of results would wait for that.
  suffix = service.videos.suffix(metadata)
  there = suffix in containers.MEDIA_TYPES
  return {
    'id': id,
    'metadata': library.public(metadata),
    'thumbnail': f'videos/{id}/thumbnail',
    'preview': f'videos/{id}/preview' if there else None,
    'file': f'videos/{id}/file' if there else None,
    'playable': suffix in containers.PLAYABLE,
  }


def query(
  service: service_lib.Service, id: int | None, seen: service_lib.Seen
) -> dict[str, Any]:
  """What was searched with: an indexed video, or what was sent."""
  if id is not None:
    return video(service, id, seen.metadata)
  return {
    'id': None,
    'metadata': library.public(seen.metadata),
    'thumbnail': seen.thumbnail,
  }


def result(
  service: service_lib.Service, hit: Any, query_labels: Sequence[str]
) -> dict[str, Any]:
  """A hit; `relevant` says whether it shares a label, None if unknown."""
  found = labels(hit.metadata)
  known = bool(query_labels and found)
  return {
    **video(service, hit.id, hit.metadata),
    'distance': hit.distance,
    'score': hit.score,
    'relevant': bool(set(found) & set(query_labels)) if known else None,
    'start': hit.start,
    'end': hit.end,
  }


def labels(metadata: Mapping[str, Any]) -> list[str]:
  """The labels of a video, whatever a caller called that."""
  found = metadata.get('labels', [])
  found = found if isinstance(found, list) else [found]
  return [label for label in found if isinstance(label, str)]


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
