"""What one caller may ask of the service, and how many may ask at once."""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
from collections.abc import AsyncIterator, Iterator

from nph_jax.service import problems


@dataclasses.dataclass(frozen=True)
class Limits:
  """Every bound that the service keeps.

  Attributes:
    upload_bytes: of one request's body.
    upload_seconds: that a body may take to arrive.
    duration: seconds of video.
    frames: of a video.
    pixels: of a frame.
    k: results of one search, and videos that a re-ranking looks at.
    concurrency: searches and additions in progress.
    videos: uploads that wait for or are in the decoder.
    decode_seconds: that decoding and features of one video may take.
    memory_bytes: that decoding one video may take on top of the backbone.
    batch: queries that are hashed and searched together.
    wait_seconds: that a query waits for others to join it.
    cache_bytes: of thumbnails and previews kept in memory.
  """

  upload_bytes: int = 200 << 20
  upload_seconds: float = 300.0
  duration: float = 600.0
  frames: int = 50_000
  pixels: int = 4096 * 2304
  k: int = 1000
  concurrency: int = 64
  videos: int = 8
  decode_seconds: float = 60.0
  memory_bytes: int = 2 << 30
  batch: int = 64
  wait_seconds: float = 0.002
  cache_bytes: int = 64 << 20


class Gate:
  """Lets so many in at once and turns the others away with status 503.

  Attributes:
    inside: how many are in.
  """

  def __init__(self, places: int, what: str):
    self.inside = 0
    self._places = places
    self._what = what

  @contextlib.contextmanager
  def enter(self) -> Iterator[None]:
    """Raises a Problem when all places are taken."""
    if self.inside >= self._places:
      raise problems.Problem(
        503,
        f'The service has {self._places} {self._what} in progress, as many as '
        'it takes; try again in a second.',
        {'Retry-After': '1'},
      )
    self.inside += 1
    try:
      yield
    finally:
      self.inside -= 1


@contextlib.asynccontextmanager
async def within(seconds: float) -> AsyncIterator[None]:
  """Raises a Problem, status 408, when a body takes longer to arrive."""
  try:
    async with asyncio.timeout(seconds):
      yield
  except TimeoutError as error:
    raise problems.Problem(
      408,
      f'The upload took longer than {seconds:g} s; send a smaller file, or '
      'from a faster connection.',
    ) from error
