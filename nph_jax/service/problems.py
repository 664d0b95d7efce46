"""Whatever goes wrong reaches the caller in one form, that of RFC 9457."""

from __future__ import annotations

from collections.abc import Mapping
from http import client
from typing import Any

import fastapi
from fastapi import exceptions, responses
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect

from nph_jax import errors
from nph_jax.index import errors as index_errors

# What libraries say in words of their own, or not at all.
_SENTENCES = {
  404: 'There is nothing at this address; /docs lists what there is.',
  405: 'This address does not take that method; /docs lists what it takes.',
  416: 'Range: the file is not as long as that.',
}
_GONE = 499  # what nginx calls it; HTTP has no name for it
MEDIA_TYPE = 'application/problem+json'
# For the documentation: of every address.
_MEMBERS = {'title': 'string', 'status': 'integer', 'detail': 'string'}
_SCHEMA = {'properties': {name: {'type': x} for name, x in _MEMBERS.items()}}
RESPONSES: dict[int | str, dict[str, Any]] = {
  'default': {
    'description': 'What is wrong: `detail`, one sentence.',
    'content': {MEDIA_TYPE: {'schema': {'type': 'object', **_SCHEMA}}},
  }
}
UNEXPECTED = (
  'The service failed on this request; its own log says why, and other '
  'requests are not affected.'
)


class Problem(HTTPException):
  """An answer other than the one asked for.

  Attributes:
    status_code: of HTTP.
    detail: one sentence for the caller; names no path of this machine.
    headers: of the answer.
  """


def answer(
  status: int, sentence: str, headers: Mapping[str, str] | None = None
) -> responses.JSONResponse:
  """The one form of every error."""
  # A sentence may quote the caller, who may have sent half a character.
  sentence = sentence.encode('utf-8', 'replace').decode()
  content = {
    'title': client.responses.get(status, ''),
    'status': status,
    'detail': sentence,
  }
  return responses.JSONResponse(
    content, status, dict(headers or {}), media_type=MEDIA_TYPE
  )


def in_words(status: int, text: str) -> str:
  """A sentence from what a library says of a status."""
  phrase = client.responses.get(status, '')
  if text in ('', phrase):
    text = _SENTENCES.get(status, phrase)
  return text.rstrip('.') + '.'


def install(app: fastapi.FastAPI) -> None:
  """Registers the handlers of every kind of error."""
  app.add_exception_handler(HTTPException, _on_http)
  app.add_exception_handler(exceptions.RequestValidationError, _on_invalid)
  app.add_exception_handler(errors.UserError, _on_index)
  app.add_exception_handler(ClientDisconnect, _on_gone)
  app.add_exception_handler(Exception, _on_unexpected)


async def _on_http(_: Any, error: Any) -> fastapi.Response:
  if isinstance(error.__cause__, ClientDisconnect):
    return await _on_gone(_, error)
  known = isinstance(error, Problem)
  status, text = error.status_code, error.detail
  return answer(
    status, text if known else in_words(status, text), error.headers
  )


async def _on_index(request: fastapi.Request, error: Any) -> fastapi.Response:
  """For errors of the index; the one place that decides whose fault it is."""
  # Else the machine is at fault: damage, a full disk, or a Milvus that is away.
  status = 422 if isinstance(error, index_errors.InvalidRequest) else 503
  if isinstance(error, index_errors.UnknownVideo):
    status = 404
  directory = str(request.app.state.service.setup.index)
  return answer(status, str(error).replace(directory, 'the index'))


async def _on_invalid(_: Any, error: Any) -> fastapi.Response:
  first = error.errors()[0]
  # A number is a place in the body's text.
  name = '.'.join(x for x in first['loc'][1:] if isinstance(x, str)) or 'body'
  message = first['msg'].removeprefix('Value error, ').rstrip('.')
  return answer(422, f'{name}: {message[:1].lower()}{message[1:]}.')


async def _on_gone(_: Any, error: Any) -> fastapi.Response:
  """For the metrics: nobody reads it, and nothing has gone wrong here."""
  return answer(_GONE, 'The upload was broken off.')


async def _on_unexpected(_: Any, error: Any) -> fastapi.Response:
  return answer(500, UNEXPECTED)
