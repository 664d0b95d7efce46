"""What a caller sends: a video, frame features or an id, within the limits."""

from __future__ import annotations

import contextlib
import dataclasses
import functools
import pathlib
from collections.abc import AsyncIterator, Callable
from typing import Any

import numpy as np
from fastapi import requests

from nph_jax.service import (
  form_parts,
  forms,
  limits,
  npy,
  problems,
  spool,
  strict_json,
)

_NPY_TYPES = ('application/x-npy', 'application/octet-stream')
_SMALL_BYTES = form_parts.TEXT_BYTES  # of JSON
_MAX_ID = 2**63 - 2


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


class Reader:
  """Reads bodies for a hasher of frames [M, L].

  Attributes:
    folder: for uploads while they are looked at.
  """

  def __init__(
    self,
    num_frames: int,
    feature_dim: int,
    bounds: limits.Limits,
    folder: pathlib.Path,
    admit_video: Callable[[], contextlib.AbstractContextManager[None]],
  ):
    """Args as follows.

    Args:
      num_frames: M.
      feature_dim: L.
      bounds: of the service.
      folder: for uploads while they are looked at.
      admit_video: what a video enters before its content is read, and leaves
        when the request ends; raises a Problem where there is no place for it.
    """
    self.folder = folder
    self._shape = num_frames, feature_dim
    self._bounds = bounds
    self._admit_video = admit_video
    # For all that are computed with, and as many that still arrive.
    largest = max(_SMALL_BYTES, npy.max_bytes(*self._shape))
    self._memory = limits.Memory(2 * bounds.concurrency * largest)

  @contextlib.asynccontextmanager
  async def read(self, request: requests.Request) -> AsyncIterator[Body]:
    """The body of `request`; its file is gone afterwards.

    Raises:
      Problem: it is none of the kinds, too large, too slow or malformed, or
        there is no place for it now.
    """
    with contextlib.ExitStack() as stack:
      take = stack.enter_context(self._memory.share())
      async with contextlib.aclosing(
        limits.paced(request.stream(), self._bounds)
      ) as chunks:
        content_type = request.headers.get('content-type', '')
        body = await self._read(content_type, chunks, take, stack)
      yield body

  async def _read(
    self,
    content_type: str,
    chunks: AsyncIterator[bytes],
    take: Callable[[int], None],
    stack: contextlib.ExitStack,
  ) -> Body:
    kind = content_type.partition(';')[0].strip().lower()
    new_memory = functools.partial(spool.Memory, take=take)
    limit = npy.max_bytes(*self._shape)
    if kind == 'multipart/form-data':
      new_video = functools.partial(self._new_video, stack)
      parts = form_parts.Parts(new_video, new_memory, limit)
      await _read_form(content_type, chunks, parts)
      return self._form_body(parts)
    if kind == 'application/json':
      return _id_body(await _content(chunks, new_memory(_SMALL_BYTES)))
    if kind in _NPY_TYPES:
      return Body(frames=self._parse(await _content(chunks, new_memory(limit))))
    raise problems.Problem(
      415,
      f'Bodies of type {kind[:60]!r} are not read here; send '
      'multipart/form-data with a part `video` or `features`, '
      'application/x-npy, or application/json with an `id`.',
    )

  def _new_video(self, stack: contextlib.ExitStack) -> spool.Video:
    stack.enter_context(self._admit_video())
    video = spool.Video(self.folder)
    stack.callback(video.remove)
    return video

  def _form_body(self, parts: form_parts.Parts) -> Body:
    metadata = _metadata(parts.text('metadata'))
    if parts.features is not None:
      frames = self._parse(bytes(parts.features.content))
      return Body(frames=frames, name=parts.name, metadata=metadata)
    if parts.video is None:
      raise form_parts.no_file()
    return Body(
      video=parts.video.path,
      suffix=parts.video.suffix,
      name=parts.name,
      metadata=metadata,
    )

  def _parse(self, content: bytes) -> np.ndarray:
    return npy.read_features(content, *self._shape)


async def _read_form(
  content_type: str, chunks: AsyncIterator[bytes], parts: form_parts.Parts
) -> None:
  form = forms.Form(content_type, parts.open)
  async for chunk in chunks:
    form.write(chunk)
    if parts.video is not None:
      await parts.video.flush()
  form.end()
  if parts.video is not None:
    await parts.video.flush(least=1)


async def _content(chunks: AsyncIterator[bytes], memory: spool.Memory) -> bytes:
  """A body of bytes, never more than `memory` takes."""
  async for chunk in chunks:
    memory.write(chunk)
  return bytes(memory.content)


def _id_body(content: bytes) -> Body:
  fields = _json_object(content, 'The body')
  id = fields.get('id')
  if not isinstance(id, int) or isinstance(id, bool) or not 0 <= id <= _MAX_ID:
    raise problems.Problem(
      422, 'The body has no `id`; expected {"id": 17} with an indexed id.'
    )
  return Body(id=id)


def _metadata(text: str) -> dict[str, Any]:
  return _json_object(text, 'metadata') if text else {}


def _json_object(content: str | bytes, what: str) -> dict[str, Any]:
  try:
    fields = strict_json.loads(content)
  except ValueError as error:
    raise problems.Problem(422, f'{what} is not JSON.') from error
  if not isinstance(fields, dict):
    raise problems.Problem(422, f'{what} is not a JSON object.')
  return fields
