"""What a caller sends: a video, frame features or an id, within the limits."""

from __future__ import annotations

import contextlib
import dataclasses
import json
import pathlib
import secrets
import shutil
from collections.abc import AsyncIterator
from typing import Any, BinaryIO

import numpy as np
import starlette.datastructures
from fastapi import concurrency, requests

from nph_jax.service import containers, limits, npy, problems

_NPY_TYPES = ('application/x-npy', 'application/octet-stream')
_SMALL_BYTES = 64 << 10  # of JSON
_MAX_ID = 2**63 - 2
_NAME_LENGTH = 200


@dataclasses.dataclass(frozen=True)
class Body:
  """One of the first three is there.

  Attributes:
    video: where the upload lies until the request ends.
    frames: float16 [M, L].
    id: of an indexed video.
    suffix: of the video's container.
    name: what the caller calls the video; shown, never opened.
    metadata: what the caller adds to it.
  """

  video: pathlib.Path | None = None
  frames: np.ndarray | None = None
  id: int | None = None
  suffix: str = ''
  name: str = ''
  metadata: dict[str, Any] = dataclasses.field(default_factory=dict)


@dataclasses.dataclass(frozen=True)
class Reader:
  """Reads bodies for a hasher of frames [M, L].

  Attributes:
    num_frames: M.
    feature_dim: L.
    bounds: of the service.
    folder: for uploads while they are looked at.
  """

  num_frames: int
  feature_dim: int
  bounds: limits.Limits
  folder: pathlib.Path

  @contextlib.asynccontextmanager
  async def read(self, request: requests.Request) -> AsyncIterator[Body]:
    """The body of `request`; its file is gone afterwards.

    Raises:
      Problem: it is none of the kinds, too large, too slow or malformed.
    """
    kind = request.headers.get('content-type', '').partition(';')[0].strip()
    async with contextlib.AsyncExitStack() as stack:
      async with limits.within(self.bounds.upload_seconds):
        if kind == 'multipart/form-data':
          form = await stack.enter_async_context(
            request.form(max_files=1, max_fields=4, max_part_size=_SMALL_BYTES)
          )
        elif kind == 'application/json':
          body = _id_body(await _content(request, _SMALL_BYTES))
        elif kind in _NPY_TYPES:
          body = await self._features(request)
        else:
          raise problems.Problem(
            415,
            f'Bodies of type {kind[:60]!r} are not read here; send '
            'multipart/form-data with a part `video` or `features`, '
            'application/x-npy, or application/json with an `id`.',
          )
      if kind == 'multipart/form-data':
        body = await self._form_body(form, stack)
      yield body

  async def _features(self, request: requests.Request) -> Body:
    limit = npy.max_bytes(self.num_frames, self.feature_dim)
    return Body(frames=self._parse(await _content(request, limit)))

  def _parse(self, content: bytes) -> np.ndarray:
    return npy.read_features(content, self.num_frames, self.feature_dim)

  async def _form_body(
    self,
    form: starlette.datastructures.FormData,
    stack: contextlib.AsyncExitStack,
  ) -> Body:
    metadata = _metadata(form.get('metadata'))
    upload = form.get('video') or form.get('features')
    if not isinstance(upload, starlette.datastructures.UploadFile):
      raise problems.Problem(
        422, 'The form has no file in a part named `video` or `features`.'
      )
    name = _shown_name(upload.filename or '')
    if form.get('video') is None:
      limit = npy.max_bytes(self.num_frames, self.feature_dim)
      content = await upload.read(limit + 1)
      if len(content) > limit:
        raise _longer_than_features(limit)
      return Body(frames=self._parse(content), name=name, metadata=metadata)
    suffix = containers.suffix_of(await upload.read(containers.HEAD_BYTES))
    await upload.seek(0)
    path = self.folder / f'{secrets.token_hex(16)}{suffix}'
    stack.callback(path.unlink, missing_ok=True)
    await concurrency.run_in_threadpool(_copy, upload.file, path)
    return Body(video=path, suffix=suffix, name=name, metadata=metadata)


def _copy(source: BinaryIO, path: pathlib.Path) -> None:
  with open(path, 'wb') as target:
    shutil.copyfileobj(source, target, 1 << 20)


async def _content(request: requests.Request, limit: int) -> bytes:
  """A body of at most `limit` bytes, never more than that in memory."""
  content = bytearray()
  async for chunk in request.stream():
    content += chunk
    if len(content) > limit:
      raise _longer_than_features(limit)
  return bytes(content)


def _longer_than_features(limit: int) -> problems.Problem:
  return problems.Problem(
    413, f'The body is longer than the {limit:,} bytes that it can have here.'
  )


def _id_body(content: bytes) -> Body:
  fields = _json_object(content, 'The body')
  id = fields.get('id')
  if not isinstance(id, int) or isinstance(id, bool) or not 0 <= id <= _MAX_ID:
    raise problems.Problem(
      422, 'The body has no `id`; expected {"id": 17} with an indexed id.'
    )
  return Body(id=id)


def _metadata(text: Any) -> dict[str, Any]:
  if text is None or text == '':
    return {}
  if not isinstance(text, str):
    raise problems.Problem(422, 'metadata: is a file; send it as a JSON text.')
  return _json_object(text, 'metadata')


def _json_object(content: str | bytes, what: str) -> dict[str, Any]:
  """A JSON object of finite numbers and whole text."""
  try:
    fields = json.loads(content, parse_constant=_refuse)
    json.dumps(fields).encode()
    json.dumps(fields, ensure_ascii=False).encode()  # no half characters
  except (ValueError, RecursionError) as error:
    raise problems.Problem(422, f'{what} is not JSON.') from error
  if not isinstance(fields, dict):
    raise problems.Problem(422, f'{what} is not a JSON object.')
  return fields


def _refuse(constant: str) -> Any:
  raise ValueError(constant)


def _shown_name(filename: str) -> str:
  """The last part of what the caller's browser calls the file."""
  last = filename.replace('\\', '/').rpartition('/')[2]
  printable = ''.join(c for c in last if c.isprintable())
  return printable.encode('utf-8', 'replace').decode()[:_NAME_LENGTH]
