"""A video file as libav reads it, and every way that can fail as one sentence.

Files come from anywhere, so nothing in one is believed: not its number of
frames, not its duration, not its size.
"""

from __future__ import annotations

import contextlib
import dataclasses
import functools
import os
from collections.abc import Iterator
from typing import Any, BinaryIO

from nph_jax import errors
from nph_jax.extraction import animations

# One file each. Playlists (HLS, DASH, concat) would open others, or addresses.
_FORMATS = 'mov,mp4,matroska,webm,avi,flv,mpeg,mpegts,asf,ogg,gif'
# What cameras, players and editors write. libav has 304 decoders, most of them
# for formats of long ago that nobody tries to break.
_CODECS = (
  'av1,libdav1d,h264,hevc,vp8,vp9,libvpx,libvpx-vp9,mpeg1video,mpeg2video,'
  'mpeg4,msmpeg4v1,msmpeg4v2,msmpeg4,h263,h263i,h263p,flv,vp6,vp6f,theora,'
  'wmv1,wmv2,wmv3,vc1,svq1,svq3,mjpeg,png,prores,dnxhd,dvvideo,ffv1,ffvhuff,'
  'huffyuv,utvideo,rawvideo,cinepak,gif'
)
# And their sound, for who wants to hear it.
_SOUND = (
  'aac,mp1,mp2,mp3,mp1float,mp2float,mp3float,ac3,eac3,opus,libopus,vorbis,'
  'flac,alac,wmav1,wmav2,amrnb,amrwb,adpcm_ms,adpcm_ima_wav,pcm_s16le,'
  'pcm_s16be,pcm_s24le,pcm_s24be,pcm_s32le,pcm_f32le,pcm_u8,pcm_alaw,pcm_mulaw'
)
_MICROSECONDS = 1_000_000
_PADDING = 1 << 16
# Sound files may count a frame more or less.
_WHOLE = 0.98


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
  return errors.import_extra('av', 'video', 'videos are decoded by PyAV')


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
      'webm, mkv, mov or the like, so convert it or leave it out.'
    ) from error


def _name(source: str | os.PathLike[str] | BinaryIO) -> str:
  """What to call the source in an error; an upload has no name."""
  if isinstance(source, (str, os.PathLike)):
    return os.fspath(source)
  name = getattr(source, 'name', None)
  return name if isinstance(name, str) else 'the video'


class VideoFile:
  """A file to decode, as often as needed.

  Attributes:
    name: what to call it in an error.
    moves: whether even a single frame of its format is a video.
    aspect: width of a pixel by its height; 0 where that is not known.
    size: width and height in pixels, as stored.
    lost: packets of the last pass that could not be decoded, and 1 for an end
      that came too early.
  """

  def __init__(self, source: str | os.PathLike[str] | BinaryIO, limits: Limits):
    self._source = source
    self.limits = limits
    self.name = _name(source)
    self.aspect, self.lost, self.moves = 0.0, 0, True
    self.size = 0, 0
    # What the headers say; of _shown, without what an edit list cuts off.
    self._frames, self._shown, self._seconds = 0, 0, 0.0

  @contextlib.contextmanager
  def opened(self, sound: bool = False) -> Iterator[tuple[Any, Any]]:
    """Yields container and video stream, both checked by their headers.

    Args:
      sound: whether that can be decoded too.
    """
    source = self._source
    if isinstance(source, (str, os.PathLike)):
      # Never an address or another of libav's protocols, whatever the name.
      source = f'file:{os.fspath(source)}'
    else:
      source.seek(0)
    av = import_av()
    codecs = f'{_CODECS},{_SOUND}' if sound else _CODECS
    options = {'format_whitelist': _FORMATS, 'codec_whitelist': codecs}
    settings: dict[str, Any] = {'options': options}
    # Titles come in any encoding. PyAV before 19 must be told to bear that.
    if hasattr(av.container.Container, 'metadata_errors'):
      settings['metadata_errors'] = 'replace'
    self.lost = 0
    with av.open(source, **settings) as container:
      stream = self._stream(container)
      context = stream.codec_context
      self.size = context.width, context.height
      self.limits.check(
        self.name,
        seconds=(container.duration or 0) / _MICROSECONDS,
        frames=stream.frames,
        pixels=context.width * context.height,
      )
      # The workers are the parallelism; threads would only hold more frames.
      context.thread_count = 1
      # A guard within the decoder, roomy since it counts its padding.
      pixels = 4 * self.limits.max_pixels + _PADDING
      context.options = {
        'max_pixels': str(pixels), 'codec_whitelist': _CODECS
      }  # fmt: skip
      self._read_header(container, stream)
      yield container, stream

  def _stream(self, container: Any) -> Any:
    """The best stream that moves; a cover does not."""
    moving = [
      stream
      for stream in container.streams.video
      # A codec that libav does not know has no context.
      if getattr(stream, 'codec_context', None) is not None
      and not stream.disposition & stream.disposition.attached_pic
    ]
    best = container.streams.best('video')
    if not moving:
      raise errors.UserError(
        f'{self.name}: holds no video stream that can be decoded; convert '
        'it, or leave it out.'
      )
    return best if best in moving else moving[0]

  def _read_header(self, container: Any, stream: Any) -> None:
    self.moves = container.format.name != 'gif'
    self.aspect = float(stream.sample_aspect_ratio or 0)
    self._frames = self._shown = max(stream.frames, 0)
    if container.format.name.startswith('mov'):
      entries = stream.index_entries
      self._shown = sum(not entry.is_discard for entry in entries)
    hours, *rest = stream.metadata.get('DURATION', '').split(':')
    with contextlib.suppress(ValueError):
      minutes, seconds = (float(x) for x in rest)
      self._seconds = 3600 * float(hours) + 60 * minutes + seconds

  def share(self, count: int, end: float) -> float:
    """How much of the file is in `count` frames up to `end`, seconds.

    Counts in headers are no more than hints: alone they are believed where
    they miss some.
    """
    share = count / max(self._shown, count + self.lost, 1)
    if self._seconds and not self._shown:
      share = min(share, end / self._seconds)
    return min(share, 1.0) if self.lost or share < _WHOLE else 1.0

  @functools.cached_property
  def animated(self) -> bool:
    """Whether it is WebP, which Pillow reads."""
    with self._bytes() as file:
      return animations.is_webp(file.read(12))

  def announced(self) -> int:
    """The frames it says it has; its packets where it says nothing."""
    if self.animated:
      self.moves = False
      with self._bytes() as file:
        self._frames, height, width = animations.size(file)
      self.size = width, height
      self.limits.check(self.name, pixels=height * width)
    if not self._frames:
      with self.opened() as opened:
        if not self._frames:
          return sum(packet.size > 0 for packet in self._packets(*opened))
    return self._frames

  def decode(self) -> Iterator[Any]:
    """Yields all frames that can be decoded, one in memory at a time."""
    if self.animated:
      with self._bytes() as file:
        yield from animations.frames(file)
    else:
      with self.opened() as opened:
        yield from self._decoded(*opened)

  def _bytes(self) -> contextlib.AbstractContextManager[BinaryIO]:
    if isinstance(self._source, (str, os.PathLike)):
      return open(self._source, 'rb')
    self._source.seek(0)
    return contextlib.nullcontext(self._source)

  def _decoded(self, container: Any, stream: Any) -> Iterator[Any]:
    for packet in self._packets(container, stream):
      try:
        frames = stream.decode(packet)
      except import_av().error.EOFError:  # flushed before
        return
      except import_av().error.FFmpegError:
        self.lost += 1
        continue
      yield from frames

  def _packets(self, container: Any, stream: Any) -> Iterator[Any]:
    """Yields packets up to the first that cannot be read, then one to flush."""
    try:
      yield from container.demux(stream)
    except import_av().error.FFmpegError:
      self.lost += 1
      yield import_av().Packet()
