"""Whatever goes wrong reaches the caller as {"error": one sentence}."""

from __future__ import annotations

import http
from collections.abc import Mapping
from typing import Any

import fastapi
from fastapi import exceptions, responses
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect

from nph_jax import errors

_SENTENCES = {
  404: 'There is nothing at this address; /docs lists what there is.',
  405: 'This address does not take that method; /docs lists what it takes.',
}
_GONE = 499  # what nginx calls it; HTTP has no name for it
UNEXPECTED = (
  'The service failed on this request; its own log says why, and other '
  'requests are not affected.'
)


class Problem(Exception):
  """An answer other than the one asked for.

  Attributes:
    status: of HTTP.
    sentence: for the caller; names no path of this machine.
    headers: of the answer.
  """

  def __init__(
    self, status: int, sentence: str, headers: Mapping[str, str] | None = None
  ):
    super().__init__(sentence)
    self.status = status
    self.sentence = sentence
    self.headers = dict(headers or {})


def without_paths(error: errors.UserError, names: Mapping[str, str]) -> str:
  """The sentence of `error`, each path of this machine in `names` replaced."""
  sentence = str(error)
  for path, name in names.items():
    sentence = sentence.replace(path, name)
  return sentence


def answer(
  status: int, sentence: str, headers: Mapping[str, str] | None = None
) -> responses.JSONResponse:
  """The one form of every error."""
  # A sentence may quote the caller, who may have sent half a character.
  sentence = sentence.encode('utf-8', 'replace').decode()
  return responses.JSONResponse(
    {'error': sentence}, status, headers=dict(headers or {})
  )


def install(app: fastapi.FastAPI) -> None:
  """Registers the handlers of every kind of error."""
  app.add_exception_handler(Problem, _on_problem)
  app.add_exception_handler(HTTPException, _on_http)
  app.add_exception_handler(exceptions.RequestValidationError, _on_invalid)
  app.add_exception_handler(ClientDisconnect, _on_gone)
  app.add_exception_handler(Exception, _on_unexpected)


async def _on_problem(_: Any, problem: Any) -> fastapi.Response:
  return answer(problem.status, problem.sentence, problem.headers)


async def _on_http(_: Any, error: Any) -> fastapi.Response:
  detail = error.detail
  if detail == http.HTTPStatus(error.status_code).phrase:
    detail = _SENTENCES.get(error.status_code, f'{detail}.')
  return answer(error.status_code, detail, error.headers)


async def _on_invalid(_: Any, error: Any) -> fastapi.Response:
  first = error.errors()[0]
  name = '.'.join(str(part) for part in first['loc'][1:])
  return answer(422, f'{name}: {first["msg"][:1].lower()}{first["msg"][1:]}.')


async def _on_gone(_: Any, error: Any) -> fastapi.Response:
  """For the metrics: nobody reads it, and nothing has gone wrong here."""
  return answer(_GONE, 'The upload was broken off.')


async def _on_unexpected(_: Any, error: Any) -> fastapi.Response:
  return answer(500, UNEXPECTED)
