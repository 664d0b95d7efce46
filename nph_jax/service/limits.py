"""What one caller may ask of the service, and how many may ask at once."""

from __future__ import annotations

import contextlib
import dataclasses
from collections.abc import Callable, Iterator

from nph_jax.service import problems


@dataclasses.dataclass(frozen=True)
class Limits:
  """Every bound that the service keeps.

  Attributes:
    upload_bytes: of one request's body.
    upload_seconds: that a body may take to arrive.
    upload_rate: bytes of a body that come in a second at least.
    patience_seconds: that they may be late.
    duration: seconds of video.
    frames: of a video.
    pixels: of a frame.
    k: results of one search, and videos that a re-ranking looks at.
    concurrency: searches and additions in progress.
    videos: uploads that wait for a decoder or are in one; so many of the
      largest may be on the disk.
    decoders: processes that make features of uploads.
    decode_seconds: that decoding and features of one video may take.
    memory_bytes: that decoding one video may take on top of the backbone.
    batch: videos that are hashed together.
    wait_seconds: that a video waits for others to join it.
    pictures: videos whose thumbnails and previews are kept in memory.
  """

  upload_bytes: int = 200 << 20
  upload_seconds: float = 300.0
  upload_rate: int = 16 << 10
  patience_seconds: float = 10.0
  duration: float = 600.0
  frames: int = 50_000
  pixels: int = 4096 * 2304
  k: int = 1000
  concurrency: int = 64
  videos: int = 8
  decoders: int = 2
  decode_seconds: float = 60.0
  memory_bytes: int = 2 << 30
  batch: int = 64
  wait_seconds: float = 0.002
  pictures: int = 1000


class Room:
  """So many places, or bytes, for all callers together.

  In bytes rather than bodies where these arrive: who sends nothing takes no
  place of others.

  Attributes:
    held: of them.
  """

  def __init__(self, size: int, sentence: str):
    """`sentence` is for whom there is no room, without its end."""
    self.held = 0
    self._size = size
    self._sentence = sentence

  @contextlib.contextmanager
  def share(self, count: int = 0) -> Iterator[Callable[[int], None]]:
    """Takes `count`, and yields what takes more; gives all back in the end.

    Both raise a Problem, status 503, when there is not as much left.
    """
    taken = 0

    def take(count: int) -> None:
      nonlocal taken
      if self.held + count > self._size:
        raise problems.Problem(
          503,
          f'{self._sentence}; try again in a second.',
          {'Retry-After': '1'},
        )
      self.held += count
      taken += count

    try:
      take(count)
      yield take
    finally:
      self.held -= taken


def room(places: int, what: str) -> Room:
  """For so many of something at once."""
  return Room(
    places, f'The service has {places} {what} in progress, as many as it takes'
  )
