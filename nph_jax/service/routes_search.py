"""Searching: by an id, by frame features, by a video; and for copies."""

from __future__ import annotations

import asyncio
import functools
import time
from collections.abc import Callable
from typing import Annotated, Any

import fastapi
from fastapi import responses

from nph_jax.service import forms, problems, uploads, views
from nph_jax.service import service as service_lib
from nph_jax.service.models import (
  Access,
  Apart,
  Coded,
  Copies,
  Features,
  Indexed,
  Sent,
  Wanted,
)

router = fastapi.APIRouter(route_class=forms.Route)
Query = Annotated[Wanted, fastapi.Query()]


@router.post('/search', tags=['search'])
async def search(
  service: Access, query: Indexed, wanted: Query
) -> dict[str, Any]:
  """The k videos nearest to an indexed one, which is not among them."""
  see = functools.partial(service.see, query.id)
  return await _search(service, wanted, see, query.id)


@router.post('/search/features', tags=['search'])
async def search_features(
  service: Access, features: Features, wanted: Query
) -> dict[str, Any]:
  """The k videos nearest to one of which the frame features are known."""
  see = functools.partial(service.see_features, features)
  return await _search(service, wanted, see)


@router.post('/search/code', tags=['search'])
async def search_code(
  service: Access, query: Coded, wanted: Query
) -> dict[str, Any]:
  """The k videos nearest to a code, such as that of an earlier query."""
  see = functools.partial(service.see_code, query.code, query.relaxed)
  return await _search(service, wanted, see)


@router.post('/search/upload', tags=['search'])
async def search_upload(
  service: Access, query: Sent, wanted: Query
) -> dict[str, Any]:
  """The same as when it was sent, of the last few hundred uploads."""
  see = functools.partial(service.see_again, query.upload)
  return await _search(service, wanted, see)


@router.post('/search/video', tags=['search'])
async def search_video(
  service: Access, video: fastapi.UploadFile, wanted: Query
) -> dict[str, Any]:
  """The k videos nearest to the one that is sent."""
  see = functools.partial(service.see_video, uploads.received(video))
  return await _search(service, wanted, see)


async def _search(
  service: service_lib.Service,
  wanted: Wanted,
  see: Callable[[], Any],
  id: int | None = None,
) -> dict[str, Any]:
  start = time.perf_counter()
  for name, value in (('k', wanted.k), ('rerank', wanted.rerank)):
    if value > (limit := service.bounds.k):
      raise problems.Problem(422, f'{name}: {value} is more than {limit}.')
  own = int(id is not None)
  with service.room.share(1):
    seen = await see()
    found = await service.search(
      seen,
      wanted.k + own,
      rank=wanted.rank,
      rerank=wanted.rerank + own if wanted.rerank else 0,
      radius=wanted.radius,
      where=wanted.filters,
    )
  hits = [hit for hit in found if hit[0].id != id][: wanted.k]
  results = [views.result(service, *hit, seen) for hit in hits]
  if wanted.bits:
    add = views.add_differing_bits
    await asyncio.to_thread(add, service, results, seen.code)
  return {
    'query': {
      **views.query(service, id, seen),
      **(views.code(seen) if wanted.bits else {}),
    },
    'results': results,
    'seconds': time.perf_counter() - start,
  }


@router.get('/duplicates', tags=['duplicates'])
async def duplicates(
  service: Access, wanted: Annotated[Copies, fastapi.Query()]
) -> Any:
  """Groups of copies, with the fields of `nph-jax duplicates --json`.

  `video` of each result is that video as /videos has it. Status 202 and no
  results as long as it looks: ask again. What has not changed since is answered
  at once.
  """
  found = await service.duplicates.find(wanted.flags)
  if found is None:
    looking = {'videos': len(service.index), 'results': None}
    return responses.JSONResponse(looking, 202, {'Retry-After': '1'})
  shown = dict(service.known([row['id'] for row in found['results']]))
  rows = []
  for row in found['results']:
    if row['id'] in shown:
      video = views.video(service, row['id'], shown[row['id']])
      about = video['metadata']
      path = about.get('path') or about.get('name')
      rows.append({**row, 'path': path, 'video': video})
  return {**found, 'results': rows}


@router.post('/duplicates/rejected', status_code=204, tags=['duplicates'])
async def reject(service: Access, body: Apart) -> None:
  """Remembers that no two of these videos are copies."""
  await service.duplicates.reject(body.ids)
