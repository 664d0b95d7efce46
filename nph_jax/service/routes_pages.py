"""The page, the documentation, and what watches over the service."""

from __future__ import annotations

import pathlib
from typing import Annotated, Any

import fastapi
from fastapi import responses

from nph_jax.service import guard, metrics, problems
from nph_jax.service.app_state import Access

router = fastapi.APIRouter()

_STATIC = pathlib.Path(__file__).parent / 'static'
# By name, so that no request can name another file.
_FILES = {
  name: (_STATIC / name, kind)
  for name, kind in (
    ('page.css', 'text/css'),
    ('page.js', 'text/javascript'),
    ('docs.js', 'text/javascript'),
    ('icon.svg', 'image/svg+xml'),
  )
}
_NO_CACHE = {'Cache-Control': 'no-cache'}
# Those that ask the index are no coroutines: while it is searched or compacted
# they would keep all others waiting.


@router.get('/', include_in_schema=False)
async def page() -> responses.FileResponse:
  return responses.FileResponse(_STATIC / 'page.html', headers=_NO_CACHE)


@router.get('/docs', include_in_schema=False)
async def docs() -> responses.FileResponse:
  return responses.FileResponse(_STATIC / 'docs.html', headers=_NO_CACHE)


@router.get('/static/{name}', include_in_schema=False)
async def static(name: str) -> responses.FileResponse:
  if name not in _FILES:
    raise fastapi.HTTPException(404)
  path, media_type = _FILES[name]
  return responses.FileResponse(path, media_type=media_type, headers=_NO_CACHE)


@router.get('/index', tags=['search'])
def index(service: Access) -> dict[str, Any]:
  """What is searched, and what may be asked of it."""
  manifest = service.hasher.manifest
  return {
    'size': len(service.index),
    'num_bits': service.index.num_bits,
    'engine': service.index.engine,
    'method': manifest.get('method'),
    'dataset': manifest.get('dataset'),
    'num_frames': service.hasher.num_frames,
    'feature_dim': service.hasher.feature_dim,
    'backbone': service.extractor and service.extractor.backbone,
    'no_videos': service.no_videos or None,
    'rerank': service.index.keeps_relaxed,
    'read_only': service.read_only,
    'limits': {
      'k': service.bounds.k,
      'upload_bytes': service.bounds.upload_bytes,
      'duration': service.bounds.duration,
    },
  }


@router.get('/healthz', tags=['operation'])
def healthz(service: Access) -> dict[str, Any]:
  """Whether the service answers; needs no token."""
  return {'status': 'ok', 'size': len(service.index)}


@router.get('/metrics', tags=['operation'])
def metrics_text(request: fastapi.Request) -> fastapi.Response:
  """For Prometheus."""
  text = request.app.state.metrics.text()
  return fastapi.Response(text, media_type=metrics.CONTENT_TYPE)


@router.post('/session', status_code=204, tags=['operation'])
async def session(
  request: fastapi.Request,
  token: Annotated[str, fastapi.Body(embed=True, max_length=1000)],
) -> fastapi.Response:
  """Exchanges the token for a cookie, with which a browser shows videos."""
  own: guard.Token = request.app.state.token
  if not own.accepts(token):
    raise problems.Problem(401, 'That is not the token of this service.')
  answer = fastapi.Response(status_code=204)
  answer.set_cookie(guard.COOKIE, own.session, httponly=True, samesite='strict')
  return answer
