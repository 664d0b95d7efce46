"""How an endpoint reaches the service it belongs to."""

from __future__ import annotations

import contextlib
from typing import Annotated

import fastapi

from nph_jax.service import bodies
from nph_jax.service import service as service_lib


def _service(request: fastapi.Request) -> service_lib.Service:
  return request.app.state.service


Access = Annotated[service_lib.Service, fastapi.Depends(_service)]
Id = Annotated[int, fastapi.Path(ge=0, le=2**63 - 2)]


def read_body(
  request: fastapi.Request,
) -> contextlib.AbstractAsyncContextManager[bodies.Body]:
  """The body of `request`, within the service's limits."""
  return request.app.state.reader.read(request)
