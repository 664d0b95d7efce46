"""The page, the documentation, and what watches over the service."""

from __future__ import annotations

import pathlib
from typing import Any

import fastapi
from fastapi import responses

from nph_jax.service import access, metrics, problems
from nph_jax.service.models import Access, Session

router = fastapi.APIRouter()

STATIC = pathlib.Path(__file__).parent / 'static'
_SEEN = ['GET', 'HEAD']
# Those that ask the index are no coroutines: while it is searched or compacted
# they would keep all others waiting.


@router.api_route('/', methods=_SEEN, include_in_schema=False)
async def page() -> responses.FileResponse:
  return responses.FileResponse(STATIC / 'page.html')


@router.api_route('/docs', methods=_SEEN, include_in_schema=False)
async def docs() -> responses.FileResponse:
  return responses.FileResponse(STATIC / 'docs.html')


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
    'moments': service.index.has_segments(),
    'duplicates': service.duplicates.known,
    'read_only': service.setup.read_only,
    'limits': {
      'k': service.bounds.k,
      'upload_bytes': service.bounds.upload_bytes,
      'duration': service.bounds.duration,
    },
  }


@router.head('/healthz', include_in_schema=False)
@router.get('/healthz', tags=['operation'])
async def healthz() -> dict[str, str]:
  """Whether the service answers; needs no token, and waits for nothing."""
  return {'status': 'ok'}


@router.get('/metrics', tags=['operation'])
def metrics_text(request: fastapi.Request) -> fastapi.Response:
  """For Prometheus."""
  text = request.app.state.metrics.text()
  return fastapi.Response(text, media_type=metrics.CONTENT_TYPE)


@router.post('/session', status_code=204, tags=['operation'])
async def session(request: fastapi.Request, body: Session) -> fastapi.Response:
  """Exchanges the token for a cookie, with which a browser shows videos."""
  own: access.Token = request.app.state.token
  caller = request.client.host if request.client else ''
  if not own.accepts(body.token, caller):
    raise problems.Problem(401, 'That is not the token of this service.')
  answer = fastapi.Response(status_code=204)
  answer.set_cookie(
    access.COOKIE,
    own.session,
    httponly=True,
    samesite='strict',
    secure=request.url.scheme == 'https',
  )
  return answer
