"""A video that a browser cannot play, encoded as one that any can."""

from __future__ import annotations

import contextlib
import fractions
import os
from collections.abc import Iterator
from typing import Any, BinaryIO

import numpy as np

from nph_jax import errors
from nph_jax.extraction import decoding, video_file
from nph_jax.extraction import pictures as pictures_lib
from nph_jax.service import decoding_process

CONTAINER = 'mp4'
_ENCODERS = 'libx264', 'aac'
_QUICK = {'preset': 'veryfast', 'crf': '23'}  # rather than small
_LONGEST = 1280  # side, pixels
_CLOCK, _RATE = 90_000, 48_000  # units of time, and samples, a second
_THREADS = 2
_EACH = 25  # frames, after which the service is told
_MICROSECONDS = 1_000_000
_NO_LIMITS = video_file.Limits(None, None, decoding.MAX_PIXELS)


def is_possible() -> bool:
  """Whether this PyAV was built with the encoders, as those of PyPI are."""
  av = video_file.import_av()
  return set(_ENCODERS) <= av.codec.codecs_available


def transcode(file: BinaryIO) -> Iterator[decoding_process.Answer]:
  """Yields the parts of a job.

  Each has bytes of the new file, their places in `at`, and in `share` how much
  of the video is done; the last has nothing.

  Raises:
    UserError: nothing of it can be decoded.
  """
  video, sink = video_file.VideoFile(file, _NO_LIMITS), _Sink()
  av = video_file.import_av()
  with video_file.reporting(video.name):
    first = next(video.decode(), None)
    if first is None:
      raise errors.UserError(f'{video.name}: holds no frame to be decoded.')
    size = _size(first, video.aspect)
    with (
      video.opened(sound=True) as (source, stream),
      av.open(sink, 'w', format=CONTAINER) as target,
    ):
      length = (source.duration or 0) / _MICROSECONDS
      for number, time in enumerate(
        _encoded(video, source, stream, target, size)
      ):
        if number % _EACH == 0:
          yield sink.part(min(time / length, 1.0) if length else 0.0)
    yield sink.part(1.0)
  yield {}, []


def _size(frame: Any, aspect: float) -> tuple[int, int]:
  """Width and height, even as the encoders want them."""
  height, width = pictures_lib.picture(frame, aspect).shape[:2]
  factor = min(_LONGEST / max(width, height), 1) / 2
  return max(2 * round(width * factor), 2), max(2 * round(height * factor), 2)


def _encoded(
  video: video_file.VideoFile,
  source: Any,
  stream: Any,
  target: Any,
  size: tuple[int, int],
) -> Iterator[float]:
  """Encodes all of it; yields seconds of the video as they are done."""
  stream.codec_context.thread_count = _THREADS
  start = (source.start_time or 0) / _MICROSECONDS
  seen = _Pictures(target, stream, size, start, video.aspect)
  heard, sound = None, source.streams.best('audio')
  if sound is not None and getattr(sound, 'codec_context', None) is not None:
    heard = _Sound(target, start)
  streams = [stream] if heard is None else [stream, sound]
  for packet in source.demux(streams):
    for frame in _decoded(packet):
      if packet.stream is stream:
        yield seen.encode(frame)
      else:
        heard.encode(frame)
  for track in (seen, heard):
    if track is not None:
      target.mux(track.stream.encode())


def _decoded(packet: Any) -> list[Any]:
  """What can be decoded of it."""
  with contextlib.suppress(video_file.import_av().error.FFmpegError):
    return packet.decode()
  return []


class _Pictures:
  """The new video's pictures: upright, with square pixels."""

  def __init__(
    self,
    target: Any,
    stream: Any,
    size: tuple[int, int],
    start: float,
    aspect: float,
  ):
    # Rates of newer PyAV cannot be rounded as they are.
    rate = float(stream.average_rate or 25)
    self.stream = target.add_stream(
      _ENCODERS[0], rate=max(1, min(round(rate), 120)), options=_QUICK
    )
    self.stream.width, self.stream.height = size
    self.stream.pix_fmt = 'yuv420p'
    self.stream.codec_context.thread_count = _THREADS
    self.stream.codec_context.time_base = fractions.Fraction(1, _CLOCK)
    self._target, self._start, self._aspect = target, start, aspect
    self._count, self._last = 0, -1

  def encode(self, frame: Any) -> float:
    """Returns its time, seconds from the first."""
    time = video_file.time_of(frame, self._count) - self._start
    pixels = pictures_lib.picture(frame, self._aspect)
    made = video_file.import_av().VideoFrame.from_ndarray(pixels, 'rgb24')
    size = self.stream.width, self.stream.height
    made = made.reformat(*size, format='yuv420p')
    # Damaged time stamps run backwards.
    made.pts = self._last = max(self._last + 1, round(time * _CLOCK))
    made.time_base = fractions.Fraction(1, _CLOCK)
    self._target.mux(self.stream.encode(made))
    self._count += 1
    return time


class _Sound:
  """The new video's sound, without its gaps."""

  def __init__(self, target: Any, start: float):
    self.stream = target.add_stream(_ENCODERS[1], rate=_RATE, layout='stereo')
    self._target, self._start = target, start
    self._kind: tuple[Any, ...] | None = None
    self._samples = 0

  def encode(self, frame: Any) -> None:
    kind = frame.format.name, frame.layout.name, frame.sample_rate
    if self._kind is None:
      self._kind = kind
      late = (frame.time or 0) - self._start
      self._samples = max(round(late * frame.sample_rate), 0)
    if kind != self._kind:  # the encoder takes one kind
      return
    frame.pts, frame.time_base = (
      self._samples,
      fractions.Fraction(1, frame.sample_rate),
    )
    self._samples += frame.samples
    self._target.mux(self.stream.encode(frame))


class _Sink:
  """What the muxer writes, here and there, until it is taken."""

  def __init__(self) -> None:
    self._written: list[tuple[int, bytes]] = []
    self._at = self._end = 0

  def write(self, content: Any) -> int:
    self._written.append((self._at, bytes(content)))
    self._at += len(content)
    self._end = max(self._end, self._at)
    return len(content)

  def tell(self) -> int:
    return self._at

  def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
    places = {os.SEEK_SET: 0, os.SEEK_CUR: self._at, os.SEEK_END: self._end}
    self._at = places[whence] + offset
    return self._at

  def part(self, share: float) -> decoding_process.Answer:
    written, self._written = self._written, []
    places = [place for place, _ in written]
    fields = {'more': True, 'share': float(np.clip(share, 0, 1)), 'at': places}
    return fields, [content for _, content in written]
