"""What the service can do, apart from how it is asked: search, add, remove."""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
from typing import Any

import numpy as np

from nph_jax import errors
from nph_jax.index import errors as index_errors
from nph_jax.service import (
  batching,
  bodies,
  library,
  limits,
  pictures,
  problems,
  searching,
  uploads,
)

# Said by the service itself, so that no caller can claim another file's name.
_RESERVED = frozenset(
  ('backbone', 'duration', 'frame_times', 'hash', 'path', 'stored')
)


@dataclasses.dataclass(frozen=True)
class Seen:
  """What a body holds, ready to search with or to add.

  Attributes:
    code: of the video.
    metadata: of an indexed video, or what is known of an upload.
    thumbnail: of an uploaded video, a data: address, or None.
  """

  code: searching.Code
  metadata: dict[str, Any]
  thumbnail: str | None = None


@dataclasses.dataclass(frozen=True)
class Service:
  """One index behind one hasher.

  Attributes:
    index: index.VideoIndex.
    hasher: export.hasher.Hasher.
    hashing: runs a searching.Hashing; apart from the next, so that who searches
      by an id does not wait for others' videos to be hashed.
    searching: runs a searching.Searching.
    videos: the library of files.
    gallery: their pictures.
    bounds: the limits.
    gate: turns searches and additions away when there are too many.
    directory: of the index; nothing tells callers of it.
    extractor: None where videos cannot be hashed.
    no_videos: why not, one sentence.
    read_only: nothing may be added or removed.
  """

  index: Any
  hasher: Any
  hashing: batching.Batcher
  searching: batching.Batcher
  videos: library.Library
  gallery: pictures.Gallery
  bounds: limits.Limits
  gate: limits.Gate
  directory: str
  extractor: uploads.Extractor | None = None
  no_videos: str = ''
  read_only: bool = False

  def admit_video(self) -> contextlib.AbstractContextManager[None]:
    """A place for an uploaded video until its request ends.

    Raises:
      Problem: status 501, videos cannot be hashed; 503, there are too many.
    """
    if self.extractor is None:
      raise problems.Problem(501, self.no_videos)
    return self.extractor.gate.enter()

  async def see(self, body: bodies.Body) -> Seen:
    """Looks an id up, or hashes a video or its features.

    Raises:
      Problem: there is no such id, or the video cannot be used.
    """
    if body.id is not None:
      packed, relaxed, metadata = await self.record(body.id)
      return Seen(searching.Code(packed, relaxed), metadata)
    if body.frames is not None:
      code = await self.hashing.submit(body.frames)
      return Seen(code, {'name': body.name} if body.name else {})
    assert self.extractor is not None, 'the video was admitted'
    found = await self.extractor.extract(body)
    code = await self.hashing.submit(found.frames)
    return Seen(code, found.metadata, found.thumbnail)

  async def record(
    self, id: int
  ) -> tuple[np.ndarray, np.ndarray | None, dict[str, Any]]:
    """Code, t and metadata of an indexed video; a Problem if it is not one."""
    try:
      return await asyncio.to_thread(self.index.get, id)
    except index_errors.UnknownVideo as error:
      raise _unknown(id) from error
    except errors.UserError as error:
      raise self._problem(error) from error

  async def search(self, query: searching.Query) -> list[Any]:
    """Hits, nearest first, found together with those of whoever else waits.

    Raises:
      Problem: status 422, the index cannot search that way; 503, or not now.
    """
    try:
      return await self.searching.submit(query)
    except errors.UserError as error:
      raise self._problem(error) from error

  async def add(self, body: bodies.Body) -> tuple[int, dict[str, Any]]:
    """Adds one video; on return it is durable.

    Returns:
      Its id and its metadata.
    """
    reserved = sorted(_RESERVED & set(body.metadata))
    if reserved:
      raise problems.Problem(
        422,
        f'metadata: the name `{reserved[0]}` is kept for what the service '
        'finds itself; use another.',
      )
    if body.id is not None:
      raise problems.Problem(422, 'An id adds nothing; send a video.')
    seen = await self.see(body)
    metadata = {**seen.metadata, **body.metadata}
    return await asyncio.to_thread(self._add, body, seen.code, metadata)

  def _add(
    self, body: bodies.Body, code: searching.Code, metadata: dict[str, Any]
  ) -> tuple[int, dict[str, Any]]:
    try:
      if body.video is not None:
        metadata['stored'] = self.videos.keep(body.video, body.suffix)
      relaxed = code.relaxed[None] if self.index.keeps_relaxed else None
      (id,) = self.index.add(code.packed[None], [metadata], relaxed=relaxed)
    except errors.UserError as error:
      self.videos.drop(metadata)
      raise self._problem(error) from error
    # Whether the record is there after any other error nobody knows: the file
    # stays in adding/, where the next start settles or deletes it.
    if body.video is not None:
      self.videos.settle(metadata['stored'])
    return int(id), metadata

  async def remove(self, id: int) -> None:
    """Removes a video and what the service kept of it; a Problem if none."""
    _, _, metadata = await self.record(id)
    try:
      removed = await asyncio.to_thread(self.index.remove, [id])
    except errors.UserError as error:
      raise self._problem(error) from error
    if not removed:
      raise _unknown(id)
    self.gallery.forget(id)
    await asyncio.to_thread(self.videos.drop, metadata)

  def check_writable(self) -> None:
    """Raises a Problem where nothing may be added or removed."""
    if self.read_only:
      raise problems.Problem(
        403, 'This service only searches: it was started with --read_only.'
      )

  def _problem(self, error: errors.UserError) -> problems.Problem:
    names = {self.directory: 'the index'}
    # Else the machine is at fault: a full disk, or a Milvus that is away.
    callers = isinstance(error, index_errors.InvalidRequest)
    sentence = problems.without_paths(error, names)
    return problems.Problem(422 if callers else 503, sentence)


def _unknown(id: int) -> problems.Problem:
  return problems.Problem(404, f'There is no video {id} in the index.')
