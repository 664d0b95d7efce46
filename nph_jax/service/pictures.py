"""Thumbnails and previews of indexed videos, made once and kept in memory."""

from __future__ import annotations

import asyncio
import logging
import pathlib
from typing import NamedTuple

import numpy as np

from nph_jax import errors
from nph_jax.service import decoders, limits, problems, rooms

_LOG = logging.getLogger('uvicorn.error')
_WIDTH, _HEIGHT = 320, 240


class Pictures(NamedTuple):
  """A JPEG and an animated WebP of one video; empty where it has none."""

  thumbnail: bytes = b''
  preview: bytes = b''


class Gallery:
  """Pictures by id, the least recently wanted forgotten first."""

  def __init__(self, decoder: decoders.Pool | None, bounds: limits.Limits):
    """`decoder` does the jobs of decoder_tasks; None makes no pictures."""
    self._decoder = decoder
    self._room = rooms.room(bounds.concurrency, 'pictures')
    self._most = bounds.pictures
    # Whoever asks while they are being made gets the same ones.
    self._made: dict[int, asyncio.Task[Pictures]] = {}

  async def get(self, id: int, path: pathlib.Path | None) -> Pictures:
    """The pictures of the video `id` whose file is `path`.

    Raises:
      Problem: status 503, too many are being made.
    """
    if path is None or self._decoder is None:
      return Pictures()
    task = self._made.pop(id, None) or asyncio.create_task(
      self._make(id, path, self._decoder)
    )
    self._made[id] = task
    if len(self._made) > self._most:
      self.forget(next(iter(self._made)))
    return await asyncio.shield(task)

  def forget(self, id: int) -> None:
    """Drops what is kept of a removed video."""
    self._made.pop(id, None)

  async def _make(
    self, id: int, path: pathlib.Path, decoder: decoders.Pool
  ) -> Pictures:
    try:
      with self._room.share(1), open(path, 'rb') as file:
        job = {'do': 'pictures', 'name': path.name}
        return Pictures(*(await decoder.run(job, file))[1])
    except (errors.UserError, problems.Problem, OSError, TypeError) as error:
      if getattr(error, 'status_code', 0) == 503:
        self.forget(id)  # no fault of the video
        raise
      _LOG.warning('no pictures of video %d: %s', id, error)
      return Pictures()


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
