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
    cache_bytes: of thumbnails and previews kept in memory.
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


class Store:
  """Holds so many bytes of bodies and turns away what would be more.

  In bytes rather than bodies: who sends nothing takes no place of others.

  Attributes:
    held: bytes.
  """

  def __init__(self, size: int, what: str):
    self.held = 0
    self._size = size
    self._what = what

  @contextlib.contextmanager
  def share(self) -> Iterator[Callable[[int], None]]:
    """Yields what takes so many bytes more; all are given back in the end.

    It raises a Problem, status 503, when there are none left.
    """
    taken = 0

    def take(count: int) -> None:
      nonlocal taken
      if self.held + count > self._size:
        raise problems.Problem(
          503,
          f'The service holds as many uploads as it has {self._what} for; try '
          'again in a second.',
          {'Retry-After': '1'},
        )
      self.held += count
      taken += count

    try:
      yield take
    finally:
      self.held -= taken
