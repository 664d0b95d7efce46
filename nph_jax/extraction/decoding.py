"""Frames of a video, at the centres of equal segments."""

from __future__ import annotations

import array
import dataclasses
import functools
import math
import os
from collections.abc import Callable, Generator, Iterator, Sequence
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
    size: width and height in pixels, as stored.
    share: of the file that could be decoded; 1 is all.
  """

  frames: list[Any]
  times: np.ndarray
  duration: float
  size: tuple[int, int]
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


def stream_frames(
  path: str,
  num_frames: int,
  spacing: float,
  *,
  prepare: Callable[[np.ndarray], Any] = lambda pixels: pixels,
) -> Generator[Any, None, SampledVideo]:
  """Yields a frame for every `spacing` seconds, and returns a SampledVideo.

  Frame i is the one that is shown (i + 1/2) spacing after the first; there is
  one at least. All come in one pass, and none is kept; what is returned is as
  of `sample_frames`.

  Args:
    path: of the video.
    num_frames: M.
    spacing: above 0.
    prepare: what to make of a frame.

  Raises:
    UserError: as of `sample_frames`.
  """
  video = video_file.VideoFile(path, video_file.Limits(None, None, MAX_PIXELS))
  with video_file.reporting(video.name):
    return (yield from _passes(video, num_frames, prepare, spacing))


def _whole(
  video: video_file.VideoFile, num_frames: int, prepare: Callable
) -> SampledVideo:
  passes = _passes(video, num_frames, prepare, math.inf)
  while True:
    try:
      next(passes)
    except StopIteration as stop:
      return stop.value


def _sought(
  video: video_file.VideoFile, num_frames: int, prepare: Callable
) -> SampledVideo:
  """Raises NotSeekableError unless that is cheaper than all frames."""
  if video.animated:
    raise seeking.NotSeekableError
  with video.opened() as (container, stream):
    timeline = seeking.read_timeline(container, stream)
    count, base = len(timeline.shown), stream.time_base
    indices = segment_centres(count, num_frames)
    wanted = sorted(set(indices.tolist()))
    if seeking.GAIN * timeline.cost(wanted) > count:
      raise seeking.NotSeekableError
    # As PyAV computes a frame's time, to the last bit.
    times = np.array(timeline.shown, float) * base.numerator / base.denominator
    video.limits.check(video.name, seconds=times[-1] - times[0], frames=count)
    kept = {}
    for number, frame in seeking.frames(container, stream, timeline, wanted):
      video.limits.check(video.name, pixels=frame.width * frame.height)
      kept[number] = prepare(pictures.picture(frame, video.aspect))
  return _sampled(video, indices, kept, times)


def _passes(
  video: video_file.VideoFile,
  num_frames: int,
  prepare: Callable,
  spacing: float,
) -> Generator[Any, None, SampledVideo]:
  """Yields what `stream_frames` does; nothing where `spacing` is infinite."""
  expected, clock = video.announced(), _Clock(spacing)

  @functools.lru_cache(1)  # as long as a frame is shown
  def show(frame: Any) -> Any:
    return prepare(pictures.picture(frame, video.aspect))

  # The second pass is for headers that were wrong: memory stays bounded.
  for _ in range(2):
    indices = segment_centres(expected, num_frames)
    wanted, kept, times = set(indices.tolist()), {}, array.array('d')
    for number, frame in enumerate(video.decode()):
      times.append(video_file.time_of(frame, number))
      video.limits.check(
        video.name,
        seconds=times[-1] - times[0],
        frames=number + 1,
        pixels=frame.width * frame.height,
      )
      yield from map(show, clock.before(times[-1] - times[0], frame))
      if number in wanted:
        kept[number] = show(frame)
    yield from map(show, clock.rest(_end(times) - times[0] if times else 0.0))
    if len(times) == expected:
      break
    expected = len(times)
  if not expected:
    raise errors.UserError(
      f'{video.name}: holds no frame that can be decoded; convert it, or '
      'leave it out.'
    )
  if expected == 1 and not video.moves:
    raise errors.UserError(f'{video.name}: is a still picture; leave it out.')
  return _sampled(video, indices, kept, np.array(times))


def _sampled(
  video: video_file.VideoFile,
  indices: np.ndarray,
  kept: dict[int, Any],
  times: np.ndarray,
) -> SampledVideo:
  """Of the frames `indices` of all, which are shown at `times`, seconds."""
  times = np.maximum.accumulate(times)
  end = _end(times)
  return SampledVideo(
    [kept[number] for number in indices.tolist()],
    times[indices] - times[0],
    float(end - times[0]),
    video.size,
    video.share(len(times), float(end)),
  )


def _end(times: Sequence[float]) -> float:
  """When the last frame ends: it lasts as long as the one before it."""
  # Damaged time stamps run backwards.
  times = np.maximum.accumulate(times)
  steps = np.diff(times)
  return times[-1] + max(steps[steps > 0][-1:], default=0.0)


class _Clock:
  """Which frame is shown at each of the times (i + 1/2) spacing."""

  def __init__(self, spacing: float):
    self._spacing, self._next = spacing, spacing / 2
    self._count, self._shown = 0, None

  def before(self, time: float, frame: Any) -> Iterator[Any]:
    """Yields what was shown until `frame` comes, at `time`, seconds."""
    if self._shown is not None:
      yield from self._until(time)
    self._shown = frame if self._spacing < math.inf else None

  def rest(self, end: float) -> Iterator[Any]:
    """Yields what is shown to the end; the clock has stopped then."""
    if self._shown is not None:
      yield from self._until(end)
      if not self._count:
        yield self._shown
    self._spacing = self._next = math.inf
    self._shown = None

  def _until(self, time: float) -> Iterator[Any]:
    while self._next < time:
      yield self._shown
      self._count += 1
      self._next = (self._count + 0.5) * self._spacing
