"""The indexed videos: browsed, added, removed, watched."""

from __future__ import annotations

import asyncio
import re
from typing import Annotated, Any

import fastapi
from fastapi import responses

from nph_jax.service import containers, pictures, problems, views
from nph_jax.service import service as service_lib
from nph_jax.service.app_state import Access, Id, read_body
from nph_jax.service.routes_search import BODY

router = fastapi.APIRouter(tags=['videos'])

_PAGE = 200
# As in `lines=0-9`; what names no unit is only malformed.
_OTHER_UNIT = re.compile(r'(?!bytes=)[\w-]+=', re.I)
_DIGITS = re.compile('[0-9]{0,18}')
_KEEP = {'Cache-Control': 'private, max-age=3600'}


@router.get('/videos')
async def browse(
  service: Access,
  start_after: Annotated[
    int, fastapi.Query(ge=-1, le=2**63 - 2, description='an id')
  ] = -1,
  limit: Annotated[int, fastapi.Query(ge=1, le=_PAGE)] = 24,
) -> dict[str, Any]:
  """Indexed videos in the order of their ids.

  `next` is the `start_after` of the page that follows, null on the last one.
  """
  items, total = await asyncio.to_thread(_page, service, start_after, limit)
  shown = items[:limit]
  return {
    'videos': [views.video(service, id, metadata) for id, metadata in shown],
    'next': shown[-1][0] if len(items) > limit else None,
    'total': total,
  }


def _page(
  service: service_lib.Service, start_after: int, limit: int
) -> tuple[list[tuple[int, dict[str, Any]]], int]:
  """One video more than the page has, and how many there are in all."""
  items = service.index.items(start_after=start_after, limit=limit + 1)
  return items, len(service.index)


@router.post('/videos', status_code=201, openapi_extra=BODY)
async def add(request: fastapi.Request, service: Access) -> dict[str, Any]:
  """Adds one video to the index; durable when the answer comes.

  Send a form with a file `video`, which the service keeps and shows, or
  `features`; `metadata`, a JSON object, goes with it, as {"labels": ["dog"]}.
  """
  service.check_writable()
  async with read_body(request) as body:
    with service.gate.enter():
      id, metadata = await service.add(body)
  return views.video(service, id, metadata)


@router.get('/videos/{id}')
async def video(service: Access, id: Id) -> dict[str, Any]:
  """One indexed video."""
  _, _, metadata = await service.record(id)
  return views.video(service, id, metadata)


@router.delete('/videos/{id}', status_code=204)
async def remove(service: Access, id: Id) -> None:
  """Removes a video from the index; durable when the answer comes.

  Its file goes too if it was added through the service.
  """
  service.check_writable()
  await service.remove(id)


@router.head('/videos/{id}/file', include_in_schema=False)
@router.get('/videos/{id}/file', response_class=responses.FileResponse)
async def file(
  request: fastapi.Request,
  service: Access,
  id: Id,
  range: Annotated[str | None, fastapi.Header()] = None,
) -> responses.FileResponse:
  """The video itself, or the part of it that is asked for."""
  _, _, metadata = await service.record(id)
  path = service.videos.find(metadata)
  media_type = path and containers.MEDIA_TYPES.get(path.suffix.lower())
  if path is None or media_type is None:
    raise problems.Problem(404, f'The file of video {id} is not here.')
  if range is not None and _OTHER_UNIT.match(range):
    # As HTTP wants it; FileResponse, which looks for itself, would refuse it.
    _drop_range(request)
  elif range is not None:
    _check_range(range, path.stat().st_size)
  return responses.FileResponse(path, media_type=media_type, headers=_KEEP)


def _drop_range(request: fastapi.Request) -> None:
  headers = request.scope['headers']
  request.scope['headers'] = [pair for pair in headers if pair[0] != b'range']


def _check_range(wanted: str, size: int) -> None:
  """Refuses in JSON what FileResponse would refuse in its own words."""
  unit, _, parts = wanted.partition('=')
  for part in parts.split(','):
    first, dash, last = part.strip().partition('-')
    whole = all(_DIGITS.fullmatch(number) for number in (first, last))
    if not (unit.lower() == 'bytes' and dash and whole and first + last):
      raise problems.Problem(400, 'Range: expected bytes=FIRST-LAST.')
    if first and last and int(last) < int(first):
      raise problems.Problem(400, 'Range: ends before it begins.')
    if int(first or 0) >= size or (not first and not int(last)):
      raise problems.Problem(
        416,
        f'Range: the file has {size} bytes only.',
        {'Content-Range': f'bytes */{size}'},
      )


@router.get('/videos/{id}/thumbnail')
async def thumbnail(service: Access, id: Id) -> fastapi.Response:
  """A JPEG of its middle frame; an SVG of its code where there is none."""
  code, _, metadata = await service.record(id)
  made = await service.gallery.get(id, service.videos.find(metadata))
  if made.thumbnail:
    return fastapi.Response(made.thumbnail, 200, _KEEP, 'image/jpeg')
  return fastapi.Response(
    pictures.placeholder(code), 200, _KEEP, 'image/svg+xml'
  )


@router.get('/videos/{id}/preview')
async def preview(service: Access, id: Id) -> fastapi.Response:
  """A few frames of it as an animated WebP."""
  _, _, metadata = await service.record(id)
  made = await service.gallery.get(id, service.videos.find(metadata))
  if not made.preview:
    raise problems.Problem(404, f'There are no pictures of video {id}.')
  return fastapi.Response(made.preview, 200, _KEEP, 'image/webp')
