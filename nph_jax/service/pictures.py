"""Thumbnails and previews of indexed videos, made once and kept in memory."""

from __future__ import annotations

import asyncio
import collections
import dataclasses
import logging
import pathlib

import numpy as np

from nph_jax import errors
from nph_jax.service import decoders, limits, problems

_LOG = logging.getLogger('uvicorn.error')
_WIDTH, _HEIGHT = 320, 240


@dataclasses.dataclass(frozen=True)
class Pictures:
  """A JPEG and an animated WebP of one video; empty where it has none."""

  thumbnail: bytes = b''
  preview: bytes = b''

  @property
  def num_bytes(self) -> int:
    return len(self.thumbnail) + len(self.preview)


class Gallery:
  """Pictures by id, the least recently wanted forgotten first."""

  def __init__(self, decoder: decoders.Pool | None, bounds: limits.Limits):
    """`decoder` does the jobs of decoder_tasks; None makes no pictures."""
    self._decoder = decoder
    self._gate = limits.Gate(bounds.concurrency, 'pictures')
    self._max_bytes = bounds.cache_bytes
    self._kept: collections.OrderedDict[int, Pictures] = (
      collections.OrderedDict()
    )
    self._num_bytes = 0
    self._being_made: dict[int, asyncio.Task[Pictures]] = {}

  async def get(self, id: int, path: pathlib.Path | None) -> Pictures:
    """The pictures of the video `id` whose file is `path`.

    Raises:
      Problem: status 503, too many are being made.
    """
    if path is None or self._decoder is None:
      return Pictures()
    if id in self._kept:
      self._kept.move_to_end(id)
      return self._kept[id]
    # Whoever asks while they are being made gets the same ones.
    if id not in self._being_made:
      task = asyncio.create_task(self._make(id, path))
      self._being_made[id] = task
      task.add_done_callback(lambda _: self._being_made.pop(id, None))
    return await asyncio.shield(self._being_made[id])

  def forget(self, id: int) -> None:
    """Drops what is kept of a removed video."""
    self._num_bytes -= self._kept.pop(id, Pictures()).num_bytes

  async def _make(self, id: int, path: pathlib.Path) -> Pictures:
    assert self._decoder is not None
    with self._gate.enter():
      try:
        with open(path, 'rb') as file:
          _, (thumbnail, preview) = await self._decoder.run(
            {'do': 'pictures', 'name': path.name}, file
          )
        made = Pictures(thumbnail, preview)
      except (errors.UserError, problems.Problem, OSError) as error:
        if getattr(error, 'status_code', 0) == 503:
          raise  # no fault of the video: not remembered
        _LOG.warning('no pictures of video %d: %s', id, error)
        made = Pictures()
    self._keep(id, made)
    return made

  def _keep(self, id: int, made: Pictures) -> None:
    self._kept[id] = made
    self._num_bytes += made.num_bytes
    while self._num_bytes > self._max_bytes and len(self._kept) > 1:
      _, oldest = self._kept.popitem(last=False)
      self._num_bytes -= oldest.num_bytes


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
