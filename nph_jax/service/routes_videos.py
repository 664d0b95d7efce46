"""The indexed videos: browsed, added, removed, watched."""

from __future__ import annotations

import pathlib
from typing import Annotated, Any

import fastapi
from fastapi import responses

from nph_jax.service import (
  forms,
  problems,
  uploads,
  views,
)
from nph_jax.service import service as service_lib
from nph_jax.service.models import (
  METADATA,
  Access,
  Browsed,
  Features,
  Id,
  Metadata,
)

_LINK = (
  'The file of video {} is a link to another folder; `nph-jax serve '
  '--follow_links` plays such files.'
)
router = fastapi.APIRouter(tags=['videos'], route_class=forms.Route)

Browse = Annotated[Browsed, fastapi.Query()]
_LABELS = 200
_KEEP = {'Cache-Control': 'private, max-age=3600'}


@router.get('/videos')
def browse(service: Access, wanted: Browse) -> dict[str, Any]:
  """Indexed videos in some order.

  `total` is how many there are of that name and label, `next` the `offset` of
  the page that follows, null on the last one.
  """
  chosen = wanted.name, wanted.label, wanted.sort, wanted.descending
  ids = service.listing.ids(*chosen)
  end = wanted.offset + wanted.limit
  shown = service.known(ids[wanted.offset : end])
  return {
    'videos': [views.video(service, id, metadata) for id, metadata in shown],
    'next': end if end < len(ids) else None,
    'total': len(ids),
  }


@router.get('/labels')
def labels(service: Access) -> list[dict[str, Any]]:
  """The labels of all videos, the commonest first."""
  found = service.listing.labels()[:_LABELS]
  return [{'label': label, 'videos': count} for label, count in found]


@router.post('/videos', status_code=201)
async def add(
  answer: fastapi.Response,
  service: Access,
  video: fastapi.UploadFile,
  metadata: Annotated[Metadata, fastapi.Form(description=METADATA)] = '',
) -> dict[str, Any]:
  """Adds a video, which the service keeps and shows.

  It is durable when the answer comes. What was added before is answered with
  the first one, and status 200.
  """
  return await _add(answer, service, uploads.received(video), metadata)


@router.post('/videos/features', status_code=201)
async def add_features(
  answer: fastapi.Response,
  service: Access,
  features: Features,
  metadata: Annotated[Metadata, fastapi.Query(description=METADATA)] = '',
) -> dict[str, Any]:
  """Adds a video by its frame features; the rest is as above."""
  return await _add(answer, service, features, metadata)


async def _add(
  answer: fastapi.Response,
  service: service_lib.Service,
  sent: Any,
  metadata: Any,
) -> dict[str, Any]:
  with service.room.share(1):
    id, kept, new = await service.add(sent, metadata or {})
  answer.status_code = 201 if new else 200
  return views.video(service, id, kept)


@router.get('/videos/{id}')
async def video(service: Access, id: Id) -> dict[str, Any]:
  """One indexed video."""
  return views.video(service, id, (await service.see(id)).metadata)


@router.delete('/videos/{id}', status_code=204)
async def remove(service: Access, id: Id) -> None:
  """Removes a video from the index; durable when the answer comes.

  Its file goes too if it was added through the service.
  """
  await service.remove(id)


@router.head('/videos/{id}/file', include_in_schema=False)
@router.get('/videos/{id}/file', response_class=responses.FileResponse)
async def file(service: Access, id: Id) -> responses.FileResponse:
  """The video itself, or the part of it that a header Range asks for."""
  return _sent(await _found(service, id))


@router.post('/videos/{id}/converted')
async def convert(service: Access, id: Id) -> dict[str, Any]:
  """Has a video that a browser does not play converted to one that it does.

  The answer comes at once: `share` says how much is done; at 1 it is there, and
  kept for a while. Ask again until then.
  """
  return {'share': service.maker.progress(await _found(service, id))}


@router.head('/videos/{id}/converted', include_in_schema=False)
@router.get('/videos/{id}/converted', response_class=responses.FileResponse)
async def converted(service: Access, id: Id) -> responses.FileResponse:
  """What POST made of it, or a part of that as above."""
  path = service.maker.converted(await _found(service, id))
  if path is None:
    raise problems.Problem(404, f'Video {id} is not converted; POST does that.')
  return _sent(path)


async def _found(service: service_lib.Service, id: int) -> pathlib.Path:
  metadata = (await service.see(id)).metadata
  path = service.videos.find(metadata)
  if service.videos.leads_out(metadata):
    raise problems.Problem(404, _LINK.format(id))
  if path is None or path.suffix.lower() not in uploads.MEDIA_TYPES:
    raise problems.Problem(404, f'The file of video {id} is not here.')
  return path


def _sent(path: pathlib.Path) -> responses.FileResponse:
  media_type = uploads.MEDIA_TYPES[path.suffix.lower()]
  return responses.FileResponse(path, media_type=media_type, headers=_KEEP)


@router.get('/videos/{id}/thumbnail')
async def thumbnail(service: Access, id: Id) -> fastapi.Response:
  """A JPEG of its middle frame; an SVG of its code where there is none."""
  seen = await service.see(id)
  path = service.videos.find(seen.metadata)
  if made := await service.maker.picture(path, 'thumbnail'):
    return fastapi.Response(made, 200, _KEEP, 'image/jpeg')
  return fastapi.Response(
    views.placeholder(seen.code), 200, _KEEP, 'image/svg+xml'
  )


@router.get('/videos/{id}/preview')
async def preview(service: Access, id: Id) -> fastapi.Response:
  """A few frames of it as an animated WebP."""
  path = service.videos.find((await service.see(id)).metadata)
  if made := await service.maker.picture(path, 'preview'):
    return fastapi.Response(made, 200, _KEEP, 'image/webp')
  raise problems.Problem(404, f'There are no pictures of video {id}.')
