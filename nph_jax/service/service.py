"""What the service can do, apart from how it is asked: search, add, remove."""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
import hashlib
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from nph_jax import errors
from nph_jax.index import errors as index_errors
from nph_jax.service import (
  batching,
  hashing,
  library,
  limits,
  npy,
  pictures,
  problems,
  uploads,
)

_COPIES = 100  # of one video in an index, among which the first is looked for


@dataclasses.dataclass(frozen=True)
class Seen:
  """What a caller sent, ready to search with or to add.

  Attributes:
    code: of the video.
    metadata: of an indexed video, or what is known of an upload.
    thumbnail: of an uploaded video, a data: address, or None.
  """

  code: hashing.Code
  metadata: dict[str, Any]
  thumbnail: str | None = None


@dataclasses.dataclass(frozen=True)
class Service:
  """One index behind one hasher.

  Attributes:
    index: index.VideoIndex.
    hasher: export.hasher.Hasher.
    hashing: runs a hashing.Hashing.
    videos: the library of files.
    gallery: their pictures.
    bounds: the limits.
    directory: of the index; nothing tells callers of it.
    extractor: None where videos cannot be hashed.
    no_videos: why not, one sentence.
    read_only: nothing may be added or removed.
  """

  index: Any
  hasher: Any
  hashing: batching.Batcher
  videos: library.Library
  gallery: pictures.Gallery
  bounds: limits.Limits
  gate: limits.Gate
  directory: str
  extractor: uploads.Extractor | None = None
  no_videos: str = ''
  read_only: bool = False
  adding: asyncio.Lock = dataclasses.field(default_factory=asyncio.Lock)

  @contextlib.contextmanager
  def admit_video(self) -> Iterator[Callable[[int], None]]:
    """Yields what is told of the bytes of an upload until its request ends.

    Raises:
      Problem: status 501, videos cannot be hashed.
    """
    if self.extractor is None:
      raise problems.Problem(501, self.no_videos)
    with self.extractor.disk.share() as take:
      yield take

  async def see_features(self, content: bytes) -> Seen:
    """Hashes features, a `.npy` file; raises a Problem where it is none."""
    shape = self.hasher.num_frames, self.hasher.feature_dim
    frames = npy.read_features(content, *shape)
    return Seen(await self.hashing.submit(frames), {})

  async def see_video(self, upload: uploads.Upload) -> Seen:
    """Hashes a video.

    Raises:
      Problem: it cannot be used, or there are too many.
    """
    assert self.extractor is not None, 'the video was admitted'
    found = await self.extractor.extract(upload)
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
      raise problems.of_index(error, self.directory) from error

  async def search(
    self, code: hashing.Code, k: int, rerank: int, **options: Any
  ) -> list[Any]:
    """Hits, nearest first; the arguments are those of VideoIndex.search.

    Raises:
      Problem: status 422, the index cannot search that way; 503, or not now.
    """
    if rerank:
      if code.relaxed is None:
        raise problems.Problem(
          422, 'This index keeps no real-valued codes; search without rerank.'
        )
      options |= {'rerank': rerank, 'relaxed': code.relaxed[None]}
    return (
      await self._ask(self.index.search, code.packed[None], k, **options)
    )[0]

  async def add(
    self,
    see: Callable[[], Any],
    digest: str,
    given: dict[str, Any],
    upload: uploads.Upload | None = None,
  ) -> tuple[int, dict[str, Any], bool]:
    """Adds one video; on return it is durable.

    Args:
      see: makes what there is to see of it, if it is not here yet.
      digest: of the file.
      given: metadata from the caller.
      upload: the video; None where only its features came.

    Returns:
      Its id, its metadata, and whether it was added now.
    """
    if (known := await self._known(digest)) is not None:
      return *known, False
    seen = await see()
    metadata = {**seen.metadata, **given, 'hash': digest}
    async with self.adding:
      if (known := await self._known(digest)) is not None:
        return *known, False
      id = await asyncio.to_thread(self._add, seen.code, metadata, upload)
      return id, metadata, True

  async def _known(self, digest: str) -> tuple[int, dict[str, Any]] | None:
    """The first video of that content, if the index has one."""
    codes = np.zeros((1, self.index.num_bits // 8), np.uint8)
    try:
      (hits,) = await asyncio.to_thread(
        self.index.search, codes, _COPIES, where={'hash': digest}
      )
    except errors.UserError:  # no video has a hash: say what adding says
      return None
    first = min(hits, key=lambda hit: hit.id, default=None)
    return first and (first.id, first.metadata)

  def _add(
    self,
    code: hashing.Code,
    metadata: dict[str, Any],
    upload: uploads.Upload | None,
  ) -> int:
    try:
      if upload is not None:
        metadata['stored'] = self.videos.keep(upload.file, upload.suffix)
      relaxed = code.relaxed[None] if self.index.keeps_relaxed else None
      (id,) = self.index.add(code.packed[None], [metadata], relaxed=relaxed)
    except errors.UserError as error:
      self.videos.drop(metadata)
      raise problems.of_index(error, self.directory) from error
    # Whether the record is there after any other error nobody knows: the file
    # stays, and the next start deletes it if nothing names it.
    return int(id)

  async def remove(self, id: int) -> None:
    """Removes a video and what the service kept of it; a Problem if none."""
    _, _, metadata = await self.record(id)
    if not await self._ask(self.index.remove, [id]):
      raise _unknown(id)
    self.gallery.forget(id)
    await asyncio.to_thread(self.videos.drop, metadata)

  async def _ask(
    self, method: Callable[..., Any], *args: Any, **kw: Any
  ) -> Any:
    try:
      return await asyncio.to_thread(method, *args, **kw)
    except errors.UserError as error:
      raise problems.of_index(error, self.directory) from error


def digest(content: bytes) -> str:
  """Stands for a file; as the hash of extraction's manifest."""
  return hashlib.blake2b(content, digest_size=16).hexdigest()


def _unknown(id: int) -> problems.Problem:
  return problems.Problem(404, f'There is no video {id} in the index.')
