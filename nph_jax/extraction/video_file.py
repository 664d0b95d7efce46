"""A video file as libav reads it, and every way that can fail as one sentence.

Files come from anywhere, so nothing in one is believed: not its number of
frames, not its duration, not its size.
"""

from __future__ import annotations

import contextlib
import dataclasses
import os
from collections.abc import Iterator
from typing import Any, BinaryIO

from nph_jax import errors

# One file each. Playlists (HLS, DASH, concat) would open others, or addresses.
_FORMATS = 'mov,mp4,matroska,webm,avi,flv,mpeg,mpegts,asf,ogg'
# What cameras, players and editors write. libav has 304 decoders, most of them
# for formats of long ago that nobody tries to break.
_CODECS = (
  'av1,libdav1d,h264,hevc,vp8,vp9,libvpx,libvpx-vp9,mpeg1video,mpeg2video,'
  'mpeg4,msmpeg4v1,msmpeg4v2,msmpeg4,h263,h263i,h263p,flv,vp6,vp6f,theora,'
  'wmv1,wmv2,wmv3,vc1,svq1,svq3,mjpeg,png,prores,dnxhd,dvvideo,ffv1,ffvhuff,'
  'huffyuv,utvideo,rawvideo,cinepak'
)
_MICROSECONDS = 1_000_000
_PADDING = 1 << 16


@dataclasses.dataclass(frozen=True)
class Limits:
  """What a file may ask for; None: anything."""

  max_duration: float | None
  max_frames: int | None
  max_pixels: int

  def check(
    self, name: str, *, seconds: float = 0, frames: int = 0, pixels: int = 0
  ) -> None:
    """Raises a UserError about file `name` where a limit is exceeded."""
    for what, found, limit in (
      ('seconds', seconds, self.max_duration),
      ('frames', frames, self.max_frames),
      ('pixels a frame', pixels, self.max_pixels),
    ):
      if limit is not None and found > limit:
        raise errors.UserError(
          f'{name}: more than {limit:g} {what}, the limit; use a shorter or '
          'smaller video.'
        )


def time_of(frame: Any, number: int) -> float:
  """Seconds; without time stamps as if at 25 frames a second."""
  return number / 25 if frame.time is None else float(frame.time)


def import_av() -> Any:
  """The module of PyAV.

  Raises:
    UserError: it is not installed.
  """
  try:
    import av
  except ImportError as error:
    raise errors.UserError(
      "videos are decoded by PyAV: pip install 'nph-jax[video]'."
    ) from error
  return av


@contextlib.contextmanager
def reporting(name: str) -> Iterator[None]:
  """Turns what the decoder raises about a file into a UserError."""
  av = import_av()
  try:
    yield
  # Beside libav's errors the binding raises what its parts do with values that
  # no sane file holds.
  except (
    av.error.FFmpegError,
    ArithmeticError,
    LookupError,
    MemoryError,
    OSError,
    ValueError,
  ) as error:
    reason = getattr(error, 'strerror', None) or error or type(error).__name__
    raise errors.UserError(
      f'{name}: no video that can be decoded ({reason}); expected mp4, avi, '
      'webm, mkv or mov that is whole, so convert it or leave it out.'
    ) from error


def _name(source: str | os.PathLike[str] | BinaryIO) -> str:
  """What to call the source in an error; an upload has no name."""
  if isinstance(source, (str, os.PathLike)):
    return os.fspath(source)
  name = getattr(source, 'name', None)
  return name if isinstance(name, str) else 'the video'


class VideoFile:
  """A file to decode, as often as needed."""

  def __init__(self, source: str | os.PathLike[str] | BinaryIO, limits: Limits):
    self._source = source
    self._limits = limits
    self.name = _name(source)

  @contextlib.contextmanager
  def _opened(self) -> Iterator[tuple[Any, Any]]:
    """Yields container and video stream, both checked by their headers."""
    source = self._source
    if isinstance(source, (str, os.PathLike)):
      # Never an address or another of libav's protocols, whatever the name.
      source = f'file:{os.fspath(source)}'
    else:
      source.seek(0)
    av = import_av()
    options = {'format_whitelist': _FORMATS, 'codec_whitelist': _CODECS}
    settings: dict[str, Any] = {'options': options}
    # Titles come in any encoding. PyAV before 19 must be told to bear that.
    if hasattr(av.container.Container, 'metadata_errors'):
      settings['metadata_errors'] = 'replace'
    with av.open(source, **settings) as container:
      stream = container.streams.best('video')
      # A codec that libav does not know has no context.
      context = getattr(stream, 'codec_context', None)
      if context is None:
        raise errors.UserError(
          f'{self.name}: holds no video stream that can be decoded; convert '
          'it, or leave it out.'
        )
      self._limits.check(
        self.name,
        seconds=(container.duration or 0) / _MICROSECONDS,
        frames=stream.frames,
        pixels=context.width * context.height,
      )
      # The workers are the parallelism; threads would only hold more frames.
      context.thread_count = 1
      # A guard within the decoder, roomy since it counts its padding.
      pixels = 4 * self._limits.max_pixels + _PADDING
      context.options = {
        'max_pixels': str(pixels), 'codec_whitelist': _CODECS
      }  # fmt: skip
      yield container, stream

  def announced(self) -> int:
    """The frames it says it has; its packets where it says nothing."""
    with self._opened() as (container, stream):
      if stream.frames > 0:
        return stream.frames
      return sum(packet.size > 0 for packet in container.demux(stream))

  def decode(self) -> Iterator[Any]:
    """Yields all frames, one in memory at a time."""
    with self._opened() as (container, stream):
      first = 0.0
      for number, frame in enumerate(container.decode(stream)):
        time = time_of(frame, number)
        first = first if number else time
        self._limits.check(
          self.name,
          seconds=time - first,
          frames=number + 1,
          pixels=frame.width * frame.height,
        )
        yield frame
