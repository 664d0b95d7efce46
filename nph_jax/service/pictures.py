"""Thumbnails and previews of indexed videos, made once and kept on the disk."""

from __future__ import annotations

import asyncio
import logging
import pathlib

import numpy as np

from nph_jax import errors
from nph_jax.service import cache as cache_lib
from nph_jax.service import decoders, limits, problems, rooms

_LOG = logging.getLogger('uvicorn.error')
_WIDTH, _HEIGHT = 320, 240
_FAILED = 10_000  # videos without pictures that are remembered
_FORMS = {'thumbnail': 'jpg', 'preview': 'webp'}


class Gallery:
  """Pictures by the file that they are of."""

  def __init__(
    self,
    decoder: decoders.Pool | None,
    cache: cache_lib.Cache,
    bounds: limits.Limits,
  ):
    """`decoder` does the jobs of decoder_tasks; None makes no pictures."""
    self._decoder, self._cache = decoder, cache
    self._room = rooms.room(bounds.concurrency, 'pictures')
    # Whoever asks while one is being made gets the same one.
    self._making: dict[pathlib.Path, asyncio.Task[bytes]] = {}
    self._failed: dict[pathlib.Path, None] = {}

  async def get(self, path: pathlib.Path | None, what: str) -> bytes:
    """A picture of the video at `path`, empty where there is none.

    Args:
      path: of the video.
      what: 'thumbnail', a JPEG, or 'preview', an animated WebP.

    Raises:
      Problem: status 503, too many are being made.
    """
    if path is None or self._decoder is None:
      return b''
    try:
      place = self._cache.place(path, f'{what}.{_FORMS[what]}')
      if self._cache.has(place):
        return await asyncio.to_thread(place.read_bytes)
    except OSError:  # gone a moment ago
      return b''
    if place in self._failed:
      return b''
    task = self._making.get(place)
    if task is None:
      make = self._make(path, place, what, self._decoder)
      task = self._making[place] = asyncio.create_task(make)
      task.add_done_callback(lambda _: self._making.pop(place))
    return await asyncio.shield(task)

  async def _make(
    self,
    path: pathlib.Path,
    place: pathlib.Path,
    what: str,
    decoder: decoders.Pool,
  ) -> bytes:
    try:
      with self._room.share(1), open(path, 'rb') as file:
        job = {'do': what, 'name': path.name}
        _, (made,) = await decoder.run(job, file)
    except (errors.UserError, problems.Problem, OSError, ValueError) as error:
      if getattr(error, 'status_code', 0) == 503:  # no fault of the video
        raise
      _LOG.warning('no %s of %s: %s', what, path.name, error)
      self._failed[place] = None
      if len(self._failed) > _FAILED:
        del self._failed[next(iter(self._failed))]
      return b''
    try:
      with self._cache.writing(place) as target:
        target.write(made)
    except (errors.UserError, OSError) as error:  # shown, if not kept
      _LOG.warning('a picture is not kept: %s', error)
    return made


def placeholder(code: np.ndarray) -> bytes:
  """An SVG for a video without pictures: its code, one square for each bit."""
  bits = np.unpackbits(code)
  wanted = np.sqrt(len(bits) * _WIDTH / _HEIGHT)
  divisors = [n for n in range(1, len(bits) + 1) if len(bits) % n == 0]
  columns = min(divisors, key=lambda n: abs(n - wanted))
  rows = len(bits) // columns
  size = min(_WIDTH // (columns + 2), _HEIGHT // (rows + 2))
  left = (_WIDTH - columns * size) // 2
  top = (_HEIGHT - rows * size) // 2
  squares = ''.join(
    f'<rect x="{left + place % columns * size + 1}" '
    f'y="{top + place // columns * size + 1}" '
    f'width="{size - 2}" height="{size - 2}" rx="2" '
    f'fill-opacity="{0.85 if bit else 0.18}"/>'
    for place, bit in enumerate(bits)
  )
  return (
    f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDTH} {_HEIGHT}">'
    f'<g fill="#7f8ba3">{squares}</g></svg>'
  ).encode()
