"""Frames of a video, at the centres of equal segments."""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Callable
from typing import Any, BinaryIO

import numpy as np

from nph_jax import errors
from nph_jax.extraction import pictures, seeking, video_file

# No picture of 8K video has half as many; damaged headers claim any size.
MAX_PIXELS = 1 << 26


@dataclasses.dataclass(frozen=True)
class SampledVideo:
  """What was sampled from one video.

  Attributes:
    frames: M pictures uint8 [H, W, 3], RGB, upright; H and W may differ between
      them where a stream changes its size. Or what `prepare` made of them.
      Repeated frames are one array.
    times: [M] float64, seconds from the first frame.
    duration: seconds, from the first frame to the end of the last.
    share: of the file that could be decoded; 1 is all.
  """

  frames: list[Any]
  times: np.ndarray
  duration: float
  share: float = 1.0


def segment_centres(num_present: int, num_frames: int) -> np.ndarray:
  """The frames at the centres of equal segments, [num_frames] int64.

  Ascending, in 0..num_present-1; repeats where num_present < num_frames.
  """
  numbers = np.arange(num_frames, dtype=np.int64)
  return (2 * numbers + 1) * num_present // (2 * num_frames)


def sample_frames(
  source: str | os.PathLike[str] | BinaryIO,
  num_frames: int,
  *,
  prepare: Callable[[np.ndarray], Any] = lambda pixels: pixels,
  max_duration: float | None = None,
  max_frames: int | None = None,
  max_pixels: int = MAX_PIXELS,
) -> SampledVideo:
  """Decodes a video and keeps `num_frames` of its frames.

  Segments are equal in decoded frames, not in time. Memory: those frames, as
  `prepare` makes them. Long files with an index are not decoded in between.

  Args:
    source: path, or a binary file that can seek.
    num_frames: M.
    prepare: what to keep of a frame.
    max_duration: seconds.
    max_frames: of the file, kept or not.
    max_pixels: of one frame.

  Raises:
    UserError: the file cannot be read, is no video, has no frame that can be
      decoded, or exceeds a limit.
  """
  video = video_file.VideoFile(
    source, video_file.Limits(max_duration, max_frames, max_pixels)
  )
  with video_file.reporting(video.name):
    try:
      return _sought(video, num_frames, prepare)
    except (seeking.NotSeekableError, video_file.import_av().FFmpegError):
      return _whole(video, num_frames, prepare)


def _sought(
  video: video_file.VideoFile, num_frames: int, prepare: Callable
) -> SampledVideo:
  """Raises NotSeekableError unless that is cheaper than all frames."""
  if video.is_animation():
    raise seeking.NotSeekableError
  with video.opened() as (container, stream):
    timeline = seeking.read_timeline(container, stream)
    indices = segment_centres(len(timeline.shown), num_frames)
    wanted = sorted(set(indices.tolist()))
    if seeking.GAIN * timeline.cost(wanted) > len(timeline.shown):
      raise seeking.NotSeekableError
    kept = _Kept(indices, prepare, video)
    for number, pts in enumerate(timeline.shown):
      kept.tick(number, float(pts * stream.time_base))
    for number, frame in seeking.frames(container, stream, timeline, wanted):
      kept.keep(number, frame)
    return kept.result(len(timeline.shown))


def _whole(
  video: video_file.VideoFile, num_frames: int, prepare: Callable
) -> SampledVideo:
  expected = video.announced()
  # The second pass is for headers that were wrong: memory stays bounded.
  for _ in range(2):
    kept = _Kept(segment_centres(expected, num_frames), prepare, video)
    count = 0
    for count, frame in enumerate(video.decode(), 1):
      kept.tick(count - 1, video_file.time_of(frame, count - 1))
      kept.keep(count - 1, frame)
    if count == expected:
      break
    expected = count
  if not expected:
    raise errors.UserError(
      f'{video.name}: holds no frame that can be decoded; convert it, or '
      'leave it out.'
    )
  if expected == 1 and not video.moves:
    raise errors.UserError(f'{video.name}: is a still picture; leave it out.')
  return kept.result(expected)


class _Kept:
  """The frames at `indices`, gathered from all frames in order."""

  def __init__(
    self,
    indices: np.ndarray,
    prepare: Callable[[np.ndarray], Any],
    video: video_file.VideoFile,
  ):
    self._indices, self._prepare, self._video = indices, prepare, video
    self._wanted = set(indices.tolist())
    self._frames: dict[int, Any] = {}
    self._times: dict[int, float] = {}
    self._first = self._last = self._gap = 0.0

  def tick(self, number: int, time: float) -> None:
    """Frame `number` is shown at `time`, seconds."""
    if not number:
      self._first = self._last = time
    self._video.limits.check(
      self._video.name, seconds=time - self._first, frames=number + 1
    )
    # Damaged time stamps run backwards.
    time = max(time, self._last)
    if time > self._last:
      self._gap, self._last = time - self._last, time
    if number in self._wanted:
      self._times[number] = time - self._first

  def keep(self, number: int, frame: Any) -> None:
    self._video.limits.check(
      self._video.name, pixels=frame.width * frame.height
    )
    if number in self._wanted:
      pixels = pictures.picture(frame, self._video.aspect)
      self._frames[number] = self._prepare(pixels)

  def result(self, count: int) -> SampledVideo:
    """What came of a file of `count` frames."""
    duration = self._last + self._gap - self._first
    numbers = self._indices.tolist()
    return SampledVideo(
      [self._frames[number] for number in numbers],
      np.array([self._times[number] for number in numbers]),
      duration,
      self._video.share(count, self._last + self._gap),
    )
