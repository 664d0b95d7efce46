"""What the service can do, apart from how it is asked: search, add, remove."""

from __future__ import annotations

import asyncio
import collections
import contextlib
import dataclasses
import functools
import hashlib
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np
import prometheus_client

from nph_jax import errors
from nph_jax.extraction import files
from nph_jax.index import errors as index_errors
from nph_jax.index import facets
from nph_jax.library import codes, moments, store
from nph_jax.service import (
  batching,
  duplicates,
  library,
  limits,
  listing,
  made,
  npy,
  problems,
  rooms,
  searching,
  uploads,
)

_RECENT_BYTES = 64 << 20  # of features of uploads that may be asked of again
_RANKED_BY_T = 1000  # videos, as `nph-jax search` has it


@dataclasses.dataclass(frozen=True)
class Seen:
  """A video, ready to search with or to add.

  Attributes:
    code: uint8 [K / 8].
    relaxed: t float32 [K], None if unknown.
    metadata: of an indexed video, or what is known of an upload.
    content: what its features are known by; None of an indexed video.
    frames: those features [M, L]; None of an indexed video.
    thumbnail: of an uploaded video, a data: address, or None.
    key: by which an upload is asked of again.
  """

  code: np.ndarray
  relaxed: np.ndarray | None
  metadata: dict[str, Any]
  content: int | None = None
  frames: np.ndarray | None = None
  thumbnail: str | None = None
  key: str | None = None


class Service:
  """One index behind one hasher.

  Its methods raise a Problem, or a UserError of the index.

  Attributes:
    index: index.VideoIndex.
    hasher: export.hasher.Hasher.
    setup, bounds: what it was told; where the index lies, callers are not.
    videos: the library of files.
    listing: of all that can be browsed.
    maker: of their pictures, and of what browsers can play.
    duplicates: finds copies.
    room: for searches and additions in progress.
    hashing: makes (code, t) of (frames float16 [M, L], whether t is kept).
    searching: runs a searching.Search.
    extractor: None where videos cannot be hashed.
    no_videos: why not, one sentence.
    recent: uploads by their keys, the last one last.
  """

  def __init__(
    self,
    index: Any,
    hasher: Any,
    setup: limits.Setup,
    videos: library.Library,
    maker: made.Maker,
    extractor: uploads.Extractor | None,
    no_videos: str,
    sizes: prometheus_client.Histogram,
  ):
    """Args as above; `sizes` is told how many are served together."""
    self.index, self.hasher = index, hasher
    self.videos, self.maker = videos, maker
    self.extractor, self.no_videos = extractor, no_videos
    self.setup, self.bounds = setup, setup.bounds
    self.listing = listing.Listing(index, videos)
    self.duplicates = duplicates.Duplicates(index, setup.index)
    self.room = rooms.room(self.bounds.concurrency, 'searches and additions')
    self.recent: collections.OrderedDict[str, Seen] = collections.OrderedDict()
    self._changing = asyncio.Lock()
    self.hashing, self.searching = (
      batching.Batcher(
        run,
        max_batch=self.bounds.batch,
        max_wait=self.bounds.wait_seconds,
        observe=sizes.labels(step).observe,
        coming=lambda: self.room.held,
      )
      for step, run in (
        ('hashing', functools.partial(_hash, hasher)),
        ('searching', functools.partial(searching.run, index)),
      )
    )

  @contextlib.contextmanager
  def admit_video(self) -> Iterator[Callable[[int], None]]:
    """Yields what is told of the bytes of an upload until its request ends."""
    if self.extractor is None:
      raise problems.Problem(501, self.no_videos)
    with self.extractor.disk.share() as take:
      yield take

  async def see_features(self, content: bytes, kept: bool = False) -> Seen:
    """Hashes features, a `.npy` file; `kept` if its t is to be."""
    shape = self.hasher.num_frames, self.hasher.feature_dim
    return await self._see(kept, npy.read_features(content, *shape), {})

  async def see_video(self, upload: uploads.Upload, kept: bool = False) -> Seen:
    """Hashes a video, which was admitted; `kept` if its t is to be."""
    assert self.extractor is not None
    frames, *about = await self.extractor.extract(upload)
    return await self._see(kept, frames, *about)

  async def _see(
    self,
    kept: bool,
    frames: np.ndarray,
    metadata: dict[str, Any],
    thumbnail: str | None = None,
  ) -> Seen:
    code, relaxed = await self.hashing.submit((frames, kept))
    content = int(facets.contents(frames[None])[0])
    key = hashlib.blake2b(frames.tobytes(), digest_size=16).hexdigest()
    seen = Seen(code, relaxed, metadata, content, frames, thumbnail, key)
    if not kept:
      self.recent[key] = seen
      self.recent.move_to_end(key)
      while len(self.recent) * frames.nbytes > _RECENT_BYTES:
        self.recent.popitem(last=False)
    return seen

  async def see_again(self, key: str) -> Seen:
    """A recent upload, by its key."""
    if key not in self.recent:
      raise problems.Problem(
        404, 'The service has forgotten this upload; send it again.'
      )
    self.recent.move_to_end(key)
    return self.recent[key]

  async def see_code(
    self, bits: Sequence[int], relaxed: Sequence[float] | None
  ) -> Seen:
    """A code of K bits and its t, which an earlier answer told."""
    for name, values in (('code', bits), ('relaxed', relaxed)):
      if values is not None and len(values) != self.index.num_bits:
        raise problems.Problem(
          422, f'{name}: has {len(values)} values, not {self.index.num_bits}.'
        )
    t = None if relaxed is None else np.array(relaxed, np.float32)
    return Seen(np.packbits(np.array(bits, np.uint8)), t, {})

  async def see(self, id: int) -> Seen:
    """An indexed video."""
    return Seen(*await asyncio.to_thread(self.index.get, id))

  def known(self, ids: Sequence[int]) -> list[tuple[int, dict[str, Any]]]:
    """Ids and metadata of those that are there still."""
    try:
      return list(zip(ids, self.index.metadata(ids)))
    except index_errors.UnknownVideo:  # removed a moment ago
      left = set(self.index.ids().tolist())
      ids = [id for id in ids if id in left]
      return list(zip(ids, self.index.metadata(ids)))

  async def search(
    self,
    seen: Seen,
    k: int,
    *,
    rank: str | None = None,
    rerank: int = 0,
    radius: int | None = None,
    where: dict[str, Any] | None = None,
  ) -> list[tuple[Any, float]]:
    """Hits, nearest first, and how similar they are, as `searching` says it.

    The options are those of VideoIndex.search. Without `rank` and `rerank` by
    what is best here: an upload by its moments, where videos have segments and
    no radius is asked for.
    """
    if not (rank or rerank):
      found = await self._moments(seen, k, where) if radius is None else None
      if found is not None:
        return [(hit, searching.bounded(hit.score)) for hit in found]
      if seen.relaxed is not None and codes.is_ranked_by_t(self.hasher):
        rerank = min(max(k, _RANKED_BY_T), self.bounds.k)
    options = {'rank': rank, 'rerank': rerank, 'radius': radius, 'where': where}
    wanted = searching.Search(seen.code, seen.relaxed, k, options)
    hits = await self.searching.submit(wanted)
    return [(hit, searching.similarity(hit, wanted)) for hit in hits]

  async def _moments(
    self, seen: Seen, k: int, where: dict[str, Any] | None
  ) -> list[Any] | None:
    """Videos in which an upload is, and where; None without segments."""
    # Of features alone nobody knows how many seconds they are.
    if seen.frames is None or 'duration' not in seen.metadata:
      return None

    def find() -> list[Any] | None:
      if not self.index.has_segments():
        return None
      # Whatever the process that decoded it says.
      seconds = min(max(seen.metadata['duration'], 0.0), self.bounds.duration)
      about, wanted = {**seen.metadata, 'duration': seconds}, (k, where)
      if not self.duplicates.known:
        clip = moments.clip(seen.frames, about, self.hasher)
        return self.index.moments(clip, *wanted)
      with store.Store(self.setup.index, read_only=True) as kept:
        return moments.find(
          self.index, kept, self.hasher, seen.frames, about, *wanted
        )

    return await asyncio.to_thread(find)

  async def add(
    self, sent: bytes | uploads.Upload, given: dict[str, Any]
  ) -> tuple[int, dict[str, Any], bool]:
    """Adds one video; on return it is durable.

    Args:
      sent: the video, or its frame features as of `see_features`.
      given: metadata from the caller.

    Returns:
      Its id, its metadata, and whether it was added now.
    """
    upload, hashed = None, {}
    if isinstance(sent, bytes):
      seen = await self.see_features(sent, kept=True)
    else:
      upload, hashed = sent, {'hash': await asyncio.to_thread(sent.digest)}
      if known := await self._known(hashed):
        return *known, False
      seen = await self.see_video(sent, kept=True)
    async with self._changing:
      if known := await self._known(hashed, None if upload else seen.content):
        return *known, False
      metadata = seen.metadata | given | hashed
      return *await asyncio.to_thread(self._add, seen, metadata, upload), True

  async def _known(
    self, hashed: dict[str, str], content: int | None = None
  ) -> tuple[int, dict[str, Any]] | None:
    """The first video of a file or of features, if the index has one."""

    def find() -> tuple[int, dict[str, Any]] | None:
      (ids,) = self.index.known([content], [facets.file(hashed)])
      return (ids[0], *self.index.metadata(ids[:1])) if ids else None

    return await asyncio.to_thread(find)

  def _add(
    self, seen: Seen, metadata: dict[str, Any], upload: uploads.Upload | None
  ) -> tuple[int, dict[str, Any]]:
    try:
      if upload is not None:
        name = f'{metadata["hash"]}{upload.suffix}'
        metadata['stored'] = self.videos.keep(upload.file, name)
      relaxed = seen.relaxed[None] if self.index.keeps_relaxed else None
      (id,) = self.index.add(
        seen.code[None], [metadata], relaxed=relaxed, contents=[seen.content]
      )
      self._keep_features(int(id), seen, metadata)
    except errors.UserError:
      self.videos.drop(metadata)
      raise
    # Whether the record is there after any other error nobody knows: the file
    # stays, and the next start deletes it if nothing names it.
    return int(id), metadata

  def _keep_features(
    self, id: int, seen: Seen, metadata: dict[str, Any]
  ) -> None:
    """In a library, so that `duplicates` and `refit` know the video too.

    Else the next `nph-jax add` extracts it once more, and where this fails.
    """
    path = self.videos.find(metadata)
    if 'stored' not in metadata or path is None or not self.duplicates.known:
      return
    with store.Store(self.setup.index) as kept:
      if kept.settings['backbone'] == metadata.get('backbone'):
        stamp = files.stamp(path)
        kept.put(str(path), stamp, metadata, seen.frames, id)

  async def remove(self, id: int) -> None:
    """Removes a video and what the service kept of it."""
    async with self._changing:
      metadata = (await self.see(id)).metadata
      await asyncio.to_thread(self.index.remove, [id])
      await asyncio.to_thread(self._drop, metadata)

  def _drop(self, metadata: dict[str, Any]) -> None:
    if (path := self.videos.find(metadata)) is not None:
      self.maker.forget(path)
    self.videos.drop(metadata)


def _hash(
  hasher: Any, wanted: Sequence[tuple[np.ndarray, bool]]
) -> list[tuple[np.ndarray, np.ndarray]]:
  """Code and t of each; t that is kept is the one of every other program."""
  frames, kept = zip(*wanted, strict=True)
  encode = hasher.encode_relaxed if any(kept) else hasher.encode_query
  return [*zip(*encode(np.stack(frames)), strict=True)]
