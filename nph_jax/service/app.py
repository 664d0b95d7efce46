"""The service as an ASGI application."""

from __future__ import annotations

import contextlib
import pathlib
from collections.abc import AsyncIterator, Sequence

import fastapi

from nph_jax.service import (
  bodies,
  guard,
  hosts,
  problems,
  routes_pages,
  routes_search,
  routes_videos,
)
from nph_jax.service import metrics as metrics_lib
from nph_jax.service import service as service_lib

_DESCRIPTION = (
  'Videos by their binary codes. Every error is {"error": one sentence}.'
)


def create(
  service: service_lib.Service,
  token: str | None,
  folder: pathlib.Path,
  metrics: metrics_lib.Metrics,
  names: Sequence[str] = (),
) -> fastapi.FastAPI:
  """The application around `service`.

  Args:
    service: what it does.
    token: that callers must bear; None lets everybody in.
    folder: for uploads while they are looked at.
    metrics: told of every request.
    names: that the service goes by where there is no token, apart from
      addresses and localhost.
  """

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
  )
  app.state.service = service
  app.state.metrics = metrics
  app.state.token = guard.Token(token)
  app.state.reader = bodies.Reader(
    service.hasher.num_frames,
    service.hasher.feature_dim,
    service.bounds,
    folder,
    service.admit_video,
  )
  for routes in (routes_search, routes_videos, routes_pages):
    app.include_router(routes.router)
  problems.install(app)
  app.add_middleware(
    guard.Guard,
    token=app.state.token,
    hosts=hosts.Hosts(names),
    upload_bytes=service.bounds.upload_bytes,
    metrics=metrics,
  )
  _add_gauges(service, metrics)
  return app


def _add_gauges(
  service: service_lib.Service, metrics: metrics_lib.Metrics
) -> None:
  metrics.gauge(
    'nph_index_videos', 'Videos in the index.', lambda: len(service.index)
  )
  metrics.gauge(
    'nph_queue_queries',
    'Videos and queries that wait for a batch.',
    lambda: service.hashing.waiting + service.searching.waiting,
  )
  metrics.gauge(
    'nph_in_progress_requests',
    'Searches and additions in progress.',
    lambda: service.gate.inside,
  )
  metrics.gauge(
    'nph_in_progress_videos',
    'Uploads that arrive, wait for the decoder or are in it.',
    lambda: service.extractor.gate.inside if service.extractor else 0,
  )
