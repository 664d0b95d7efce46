"""The service as an ASGI application."""

from __future__ import annotations

import contextlib
import mimetypes
from collections.abc import AsyncIterator

import fastapi
from fastapi import staticfiles

from nph_jax.service import (
  access,
  guard,
  limits,
  npy,
  problems,
  rooms,
  routes_pages,
  routes_search,
  routes_videos,
)
from nph_jax.service import metrics as metrics_lib
from nph_jax.service import service as service_lib

_DESCRIPTION = (
  'Videos by their binary codes. Every error is application/problem+json with '
  'one sentence, `detail`; addresses in answers are relative to that of the '
  'service.'
)


def create(
  service: service_lib.Service,
  setup: limits.Setup,
  metrics: metrics_lib.Metrics,
) -> fastapi.FastAPI:
  """The application around `service`; `metrics` are told of every request."""

  @contextlib.asynccontextmanager
  async def lifespan(_: fastapi.FastAPI) -> AsyncIterator[None]:
    async with service.hashing, service.searching:
      yield

  app = fastapi.FastAPI(
    title='nph_jax',
    description=_DESCRIPTION,
    docs_url=None,
    redoc_url=None,
    lifespan=lifespan,
    responses=problems.RESPONSES,
  )
  app.state.service = service
  app.state.metrics = metrics
  app.state.token = access.Token(setup.token)
  app.state.feature_bytes = npy.max_bytes(
    service.hasher.num_frames, service.hasher.feature_dim
  )
  # For all that are computed with, and as many that still arrive.
  app.state.memory = rooms.Room(
    2 * service.bounds.concurrency * max(1 << 16, app.state.feature_bytes),
    'The service holds as many uploads as it has memory for',
  )
  for routes in (routes_search, routes_videos, routes_pages):
    app.include_router(routes.router)
  # What Windows says of it, browsers do not run as a module.
  mimetypes.add_type('text/javascript', '.js')
  app.mount('/static', staticfiles.StaticFiles(directory=routes_pages.STATIC))
  problems.install(app)
  app.add_middleware(guard.Guard, state=app.state, names=setup.hosts)
  metrics.watch(service)
  return app
