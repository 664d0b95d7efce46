"""Forms with a video: Starlette's parser, which refuses while they arrive."""

from __future__ import annotations

import logging
from collections.abc import AsyncIterator, Callable
from typing import Any

from fastapi import requests, routing
from python_multipart.exceptions import FormParserError
from starlette.datastructures import FormData
from starlette.formparsers import MultiPartException, MultiPartParser

from nph_jax.service import problems, uploads

_LOG = logging.getLogger('uvicorn.error')
_TEXT_BYTES = 64 << 10
_TEXTS = 4


class VideoForm(MultiPartParser):
  """A form of one file `video` and a few texts.

  The file goes to the disk without a name, so that nothing of it is left
  whatever ends the service.
  """

  def __init__(self, request: requests.Request, admit: Callable[[], Any]):
    """`admit` makes what is told of a video's bytes, or raises a Problem."""
    super().__init__(
      request.headers,
      self._to_its_end(request.stream()),
      max_files=1,
      max_fields=_TEXTS,
      max_part_size=_TEXT_BYTES,
    )
    self._admit = admit
    self._take_memory = request.state.take
    self._take_disk: Callable[[int], None] = request.state.take
    self._head: bytes | None = None  # of the video, until it is known as one
    self._whole = False

  async def _to_its_end(
    self, stream: AsyncIterator[bytes]
  ) -> AsyncIterator[bytes]:
    """Within `parse`, which closes its files when this raises."""
    async for chunk in stream:
      yield chunk
    if not self._whole:
      raise problems.Problem(400, 'The form breaks off before its end.')

  def on_headers_finished(self) -> None:
    super().on_headers_finished()
    part = self._current_part
    if part.file is None:
      return
    if part.field_name != 'video':
      raise problems.Problem(
        422, 'The form has a file in a part other than `video`.'
      )
    self._take_disk = self._admit()
    part.file.file.rollover()
    self._head = b''

  def on_part_data(self, data: bytes, start: int, end: int) -> None:
    if self._current_part.file is None:
      self._take_memory(end - start)
    else:
      self._take_disk(end - start)
      if self._head is not None:
        self._head += data[start : min(end, start + uploads.HEAD_BYTES)]
        if len(self._head) >= uploads.HEAD_BYTES:
          uploads.suffix_of(self._head)
          self._head = None
    super().on_part_data(data, start, end)

  def on_end(self) -> None:
    self._whole = True

  async def parse(self) -> FormData:
    """The form.

    Raises:
      Problem: status 400, it is malformed; 415, the file is no video; 503, it
        cannot be kept; or what `admit` and what it made raise.
    """
    try:
      return await super().parse()
    except (MultiPartException, FormParserError) as error:
      message = getattr(error, 'message', 'its boundary is none.')
      raise problems.Problem(
        400, f'The form is malformed: {message[:1].lower()}{message[1:]}'
      ) from error
    except OSError as error:
      _LOG.error('an upload cannot be kept: %s', error)
      raise problems.Problem(
        503,
        'The service cannot write this upload to its disk; send a smaller '
        'file, or try again later.',
        {'Retry-After': '60'},
      ) from error


class _Request(requests.Request):
  async def form(self, **_: Any) -> FormData:  # type: ignore[override]
    kind = self.headers.get('content-type', '').partition(';')[0].strip()
    if kind.lower() != 'multipart/form-data':
      raise problems.Problem(
        415, 'This address reads forms; send one as curl -F video=@FILE does.'
      )
    service, held = self.app.state.service, self.state.held
    return await VideoForm(
      self, lambda: held.enter_context(service.admit_video())
    ).parse()


class Route(routing.APIRoute):
  """Reads forms as above."""

  def get_route_handler(self) -> Callable[..., Any]:
    handle = super().get_route_handler()

    async def handle_with_form(request: requests.Request) -> Any:
      return await handle(_Request(request.scope, request.receive))

    return handle_with_form
