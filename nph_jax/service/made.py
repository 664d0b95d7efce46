"""What is made of indexed videos, once, and kept on the disk.

Pictures, and videos that a browser plays where it does not play the originals.
"""

from __future__ import annotations

import asyncio
import logging
import pathlib
from collections.abc import Callable, Coroutine
from typing import Any, BinaryIO

from nph_jax import errors
from nph_jax.service import cache as cache_lib
from nph_jax.service import decoders, limits, problems, rooms, transcoding

_LOG = logging.getLogger('uvicorn.error')
_FAILED = 10_000  # files that could not be made, and are not tried again
_ENDS = {'thumbnail': 'jpg', 'preview': 'webp'}
_WRITING = 'The folder of pictures and converted videos'


class Maker:
  """Whoever asks for what is being made gets the same one."""

  def __init__(
    self,
    viewer: decoders.Pool | None,
    converter: decoders.Pool | None,
    cache: cache_lib.Cache,
    bounds: limits.Limits,
  ):
    """Args as follows.

    Args:
      viewer: does the jobs of decoder_tasks.load; None makes no pictures.
      converter: does those of load_transcoder; None converts nothing.
      cache: where all of it is kept.
      bounds: how many may wait.
    """
    self._viewer, self._converter = viewer, converter
    self._cache, self._most = cache, bounds.conversions
    self._room = rooms.room(bounds.concurrency, 'pictures')
    self._making: dict[pathlib.Path, asyncio.Task[bytes]] = {}
    self._shares: dict[pathlib.Path, float] = {}  # of videos in the making
    self._failed: dict[pathlib.Path, problems.Problem] = {}

  async def picture(self, path: pathlib.Path | None, what: str) -> bytes:
    """A picture of the video at `path`, empty where there is none.

    Args:
      path: of the video.
      what: 'thumbnail', a JPEG, or 'preview', an animated WebP.

    Raises:
      Problem: status 503, too many are being made.
    """
    if path is None or self._viewer is None:
      return b''
    try:
      place = self._cache.place(path, f'{what}.{_ENDS[what]}')
      if self._cache.has(place):
        return await asyncio.to_thread(place.read_bytes)
    except OSError:  # gone a moment ago
      return b''
    if place in self._failed:
      return b''
    if place not in self._making:
      self._begin(path, place, self._draw(path, place, what))
    return await asyncio.shield(self._making[place])

  async def _draw(
    self, path: pathlib.Path, place: pathlib.Path, what: str
  ) -> bytes:
    assert self._viewer is not None
    with self._room.share(1), open(path, 'rb') as file:
      job = {'do': what, 'name': path.name}
      _, (made,) = await self._viewer.run(job, file)
    try:
      with self._cache.writing(place) as target:
        target.write(made)
    except (errors.UserError, OSError) as error:  # shown, if not kept
      _LOG.warning('a picture is not kept: %s', error)
    return made

  def forget(self, path: pathlib.Path) -> None:
    """Deletes what was made of a video."""
    self._cache.drop(path)

  def converted(self, path: pathlib.Path) -> pathlib.Path | None:
    """The converted file of the video at `path`, None where there is none."""
    place = self._place(path)
    return place if place and self._cache.has(place) else None

  def progress(self, path: pathlib.Path) -> float:
    """How much of a video is converted, 0 to 1; begins where nothing was.

    Raises:
      Problem: status 422, it cannot be converted; 501, none can; 503, too many
        wait.
    """
    place = self._place(path)
    if place is None:
      raise problems.Problem(
        501, 'This service cannot convert videos; PyAV is not installed.'
      )
    if self._cache.has(place):
      return 1.0
    if place in self._failed:
      raise self._failed[place]
    if place not in self._making:
      if len(self._shares) >= self._most:
        raise problems.Problem(
          503,
          f'{self._most} videos wait to be converted, as many as may; try '
          'again in a minute.',
          {'Retry-After': '60'},
        )
      self._shares[place] = 0.0
      self._begin(path, place, self._convert(path, place))
    # At 1 it is in its place.
    return min(self._shares[place], 0.99)

  def _place(self, path: pathlib.Path) -> pathlib.Path | None:
    if self._converter is None:
      return None
    return self._cache.place(path, f'playable.{transcoding.CONTAINER}')

  async def _convert(self, path: pathlib.Path, place: pathlib.Path) -> bytes:
    assert self._converter is not None
    with open(path, 'rb') as file, self._cache.writing(place) as target:
      take = self._writer(place, target)
      await self._converter.run({'name': path.name}, file, take)
    return b''

  def _writer(
    self, place: pathlib.Path, target: BinaryIO
  ) -> Callable[[dict[str, Any], list[bytes]], None]:
    """Puts the parts of a new file where they belong, within its size."""
    most = self._cache.max_bytes // 2

    def take(fields: dict[str, Any], blobs: list[bytes]) -> None:
      for at, content in zip(fields['at'], blobs, strict=True):
        # A process that a file has taken over may say anything.
        if not 0 <= int(at) <= most - len(content):
          raise problems.Problem(
            422,
            f'Converted, the video would be larger than {most >> 20:,} MiB, '
            'half of --cache_mb; convert it yourself.',
          )
        target.seek(int(at))
        with errors.writing(_WRITING):
          target.write(content)
      self._shares[place] = float(fields['share'])

    return take

  def _begin(
    self,
    path: pathlib.Path,
    place: pathlib.Path,
    made: Coroutine[Any, Any, bytes],
  ) -> None:
    async def make() -> bytes:
      try:
        return await made
      except (errors.UserError, problems.Problem, OSError, ValueError) as error:
        status = getattr(error, 'status_code', 422)
        if status == 503:  # no fault of the video
          raise
        _LOG.warning('no %s is made of %s: %s', place.suffix, path.name, error)
        if not isinstance(error, OSError):
          text = getattr(error, 'detail', str(error))
          self._failed[place] = problems.Problem(status, text)
        if len(self._failed) > _FAILED:
          del self._failed[next(iter(self._failed))]
        return b''

    def done(task: asyncio.Task[bytes]) -> None:
      del self._making[place]
      self._shares.pop(place, None)
      if not task.cancelled():
        task.exception()  # of which somebody was told, or the log

    self._making[place] = asyncio.create_task(make())
    self._making[place].add_done_callback(done)
