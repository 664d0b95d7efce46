"""Frames of a video, at the centres of equal segments."""

from __future__ import annotations

import dataclasses
import os
from typing import Any, BinaryIO

import numpy as np

from nph_jax import errors
from nph_jax.extraction import video_file

# No picture of 8K video has half as many; damaged headers claim any size.
MAX_PIXELS = 1 << 26


@dataclasses.dataclass(frozen=True)
class SampledVideo:
  """What was sampled from one video.

  Attributes:
    frames: M arrays uint8 [H, W, 3], RGB, upright; H and W may differ between
      them where a stream changes its size. Repeated frames are one array.
    times: [M] float64, seconds from the first frame.
    duration: seconds, from the first frame to the end of the last.
  """

  frames: list[np.ndarray]
  times: np.ndarray
  duration: float


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
  max_duration: float | None = None,
  max_frames: int | None = None,
  max_pixels: int = MAX_PIXELS,
) -> SampledVideo:
  """Decodes a video and keeps `num_frames` of its frames.

  Segments are equal in decoded frames, not in time. Memory: those frames.

  Args:
    source: path, or a binary file that can seek.
    num_frames: M.
    max_duration: seconds.
    max_frames: decoded ones, kept or not.
    max_pixels: of one frame.

  Raises:
    UserError: the file cannot be read, is no video, is damaged, has no frames,
      or exceeds a limit.
  """
  video = video_file.VideoFile(
    source, video_file.Limits(max_duration, max_frames, max_pixels)
  )
  with video_file.reporting(video.name):
    expected = video.announced()
    # The second pass is for headers that were wrong: memory stays bounded.
    for _ in range(2):
      kept = _Kept(segment_centres(expected, num_frames))
      for frame in video.decode():
        kept.add(frame)
      if kept.count == expected:
        break
      expected = kept.count
    if not expected:
      raise errors.UserError(
        f'{video.name}: holds no frame that can be decoded; convert it, or '
        'leave it out.'
      )
    return kept.result()


class _Kept:
  """The frames at `indices`, gathered from all frames in order."""

  def __init__(self, indices: np.ndarray):
    self._indices = indices
    self._frames: dict[int, tuple[np.ndarray, float]] = {}
    self._wanted = set(indices.tolist())
    self._first = self._last = self._gap = 0.0
    self.count = 0

  def add(self, frame: Any) -> None:
    time = video_file.time_of(frame, self.count)
    if not self.count:
      self._first = self._last = time
    # Damaged time stamps run backwards.
    time = max(time, self._last)
    if time > self._last:
      self._gap, self._last = time - self._last, time
    if self.count in self._wanted:
      self._frames[self.count] = _pixels(frame), time - self._first
    self.count += 1

  def result(self) -> SampledVideo:
    frames, times = zip(*(self._frames[i] for i in self._indices.tolist()))
    duration = self._last + self._gap - self._first
    return SampledVideo(list(frames), np.array(times), duration)


def _pixels(frame: Any) -> np.ndarray:
  pixels = frame.to_ndarray(format='rgb24')
  # What players do with the display matrix that phones write.
  return np.ascontiguousarray(np.rot90(pixels, round(frame.rotation / 90)))
