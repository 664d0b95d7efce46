"""Searching: by an id, by frame features, by a video."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Annotated, Any

import fastapi
import numpy as np

from nph_jax.service import forms, hashing, problems, uploads, views
from nph_jax.service import service as service_lib
from nph_jax.service.models import Access, Features, Indexed, Wanted

router = fastapi.APIRouter(tags=['search'], route_class=forms.Route)
Query = Annotated[Wanted, fastapi.Query()]


@router.post('/search')
async def search(
  service: Access, query: Indexed, wanted: Query
) -> dict[str, Any]:
  """The k videos nearest to an indexed one, which is not among them."""

  async def see() -> service_lib.Seen:
    packed, relaxed, metadata = await service.record(query.id)
    return service_lib.Seen(hashing.Code(packed, relaxed), metadata)

  return await _search(service, wanted, see, query.id)


@router.post('/search/features')
async def search_features(
  service: Access, features: Features, wanted: Query
) -> dict[str, Any]:
  """The k videos nearest to one of which the frame features are known."""
  return await _search(service, wanted, lambda: service.see_features(features))


@router.post('/search/video')
async def search_video(
  service: Access, video: fastapi.UploadFile, wanted: Query
) -> dict[str, Any]:
  """The k videos nearest to the one that is sent."""
  upload = uploads.received(video)
  return await _search(service, wanted, lambda: service.see_video(upload))


async def _search(
  service: service_lib.Service,
  wanted: Wanted,
  see: Callable[[], Any],
  id: int | None = None,
) -> dict[str, Any]:
  start = time.perf_counter()
  _check(service.bounds.k, wanted)
  own = int(id is not None)
  with service.gate.enter():
    seen = await see()
    found = await service.search(
      seen.code,
      wanted.k + own,
      wanted.rerank + own if wanted.rerank else 0,
      radius=wanted.radius,
      where=wanted.filters,
    )
  hits = [hit for hit in found if hit.id != id][: wanted.k]
  labels = views.labels(seen.metadata)
  results = [views.result(service, hit, labels) for hit in hits]
  if wanted.bits:
    await views.add_differing_bits(service, results, seen.code.packed)
  return {
    'query': {
      **views.query(service, id, seen),
      'code': np.unpackbits(seen.code.packed).tolist() if wanted.bits else None,
    },
    'results': results,
    'seconds': time.perf_counter() - start,
  }


def _check(limit: int, wanted: Wanted) -> None:
  for name, value in (('k', wanted.k), ('rerank', wanted.rerank)):
    if value > limit:
      raise problems.Problem(422, f'{name}: {value} is more than {limit}.')
  if wanted.rerank and wanted.rerank < wanted.k:
    raise problems.Problem(
      422,
      f'rerank: {wanted.rerank} is less than k, {wanted.k}; order at least k '
      'videos.',
    )
