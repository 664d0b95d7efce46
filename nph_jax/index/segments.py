"""A code for every few seconds of a video, and where in it a clip is.

A segment has the code of one frame, that in its middle. Codes of segments that
hold many frames are worse, measured: a clip seldom begins and ends where they
do (benchmarks/README.md, "Moments"). A clip is laid over a video at every
place, and each frame of the video compared with the clip's at that time.
"""

from __future__ import annotations

import heapq
import math
import sqlite3
import zlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import NamedTuple

import numpy as np

from nph_jax.index.records import Segments

_SCHEMA = """
CREATE TABLE IF NOT EXISTS segments (
  id INTEGER PRIMARY KEY, crc INTEGER NOT NULL, seconds REAL NOT NULL,
  duration REAL NOT NULL, codes BLOB NOT NULL
)
"""
_STEPS = 8  # places to a segment that a clip is laid at
_BLOCK = 2**16  # segments
_ROUNDING = 1e-4  # more than float32's in a sum of products


class Clip(NamedTuple):
  """What is looked for.

  Attributes:
    t: float32 [M, K], real-valued codes of its frames.
    times: [M], when they are shown, seconds from its first.
    duration: seconds.
    whole: float32 [K], that of the whole clip, for videos without segments.
  """

  t: np.ndarray
  times: np.ndarray
  duration: float
  whole: np.ndarray


class Moment(NamedTuple):
  """Where in a video a clip fits best.

  Attributes:
    score: mean cosine of t of the clip's frames and the codes of the video's.
    id: of the video.
    start, end: in seconds; None of a video without segments.
    distance: mean Hamming distance of these codes, in whole bits.
  """

  score: float
  id: int
  start: float | None
  end: float | None
  distance: int


def are_there(connection: sqlite3.Connection) -> bool:
  """Whether any video has, or had, segments."""
  return bool(
    connection.execute(
      "SELECT 1 FROM sqlite_master WHERE name = 'segments'"
    ).fetchone()
  )


def insert(
  connection: sqlite3.Connection,
  ids: Sequence[int],
  segments: Sequence[Segments | None],
) -> None:
  """Adds the segments of these videos, where they have some."""
  rows = [_row(*pair) for pair in zip(ids, segments, strict=True) if pair[1]]
  if rows:
    connection.execute(_SCHEMA)
    connection.executemany('INSERT INTO segments VALUES (?, ?, ?, ?, ?)', rows)


def delete(
  connection: sqlite3.Connection, ids: Iterable[int] | None = None
) -> None:
  """Removes the segments of these videos, or of all."""
  if not are_there(connection):
    return
  if ids is None:
    connection.execute('DELETE FROM segments')
  else:
    rows = ((video,) for video in ids)
    connection.executemany('DELETE FROM segments WHERE id = ?', rows)


def read(connection: sqlite3.Connection, num_bits: int) -> dict[int, Segments]:
  """All segments, by the id of their video.

  Raises:
    sqlite3.DatabaseError: a row is not as it was written.
  """
  found: dict[int, Segments] = {}
  if are_there(connection):
    for row in connection.execute('SELECT * FROM segments').fetchall():
      video, _, seconds, duration, blob = row
      codes = np.frombuffer(blob, np.uint8).reshape(-1, num_bits // 8)
      found[video] = Segments(seconds, duration, codes)
      if _row(video, found[video]) != row:
        raise sqlite3.DatabaseError(f'the segments of id {video} are damaged')
  return found


def _row(video: int, segments: Segments) -> tuple:
  seconds, duration = map(float, segments[:2])
  blob = np.ascontiguousarray(segments.codes).tobytes()
  crc = zlib.crc32(blob, zlib.crc32(f'{video} {seconds} {duration}'.encode()))
  return video, crc, seconds, duration, blob


def find(videos: Mapping[int, Segments], clip: Clip, k: int) -> list[Moment]:
  """The k videos that a clip fits best, by (score, id), each once.

  Exact: a video is passed over only where no frame of it is as near to any of
  the clip's as the k-th best video is at its best.

  Args:
    videos: by id.
    clip: what is looked for.
    k: results at most, at least 1.
  """
  lengths = np.linalg.norm(clip.t, axis=1, keepdims=True)
  query = clip.t / np.maximum(lengths * clip.t.shape[1] ** 0.5, 1e-9)
  bounds = dict(zip(videos, _nearest(list(videos.values()), query)))
  best: list[tuple[float, int, Moment]] = []
  for video in sorted(bounds, key=bounds.get, reverse=True):
    if len(best) == k and bounds[video] + _ROUNDING < best[0][0]:
      break
    found = _place(video, videos[video], clip, query)
    heapq.heappush(best, (found.score, -video, found))
    if len(best) > k:
      heapq.heappop(best)
  return [moment for *_, moment in sorted(best, reverse=True)]


def _nearest(segments: Sequence[Segments], query: np.ndarray) -> np.ndarray:
  """Of each video the greatest cosine of any frame with any of the clip's."""
  counts = [len(one.codes) for one in segments]
  if not counts:
    return np.empty(0)
  codes = np.concatenate([one.codes for one in segments])
  starts = np.cumsum([0, *counts[:-1]])
  # While a video shows the same, so do the codes.
  new = np.ones(len(codes), bool)
  new[1:] = (codes[1:] != codes[:-1]).any(axis=1)
  new[starts] = True
  greatest = np.concatenate(
    [_cosines(part, query).max(axis=1) for part in _blocks(codes[new])]
  )
  return np.maximum.reduceat(greatest, np.cumsum(new)[starts] - 1)


def _blocks(codes: np.ndarray) -> Iterator[np.ndarray]:
  for start in range(0, len(codes), _BLOCK):
    yield codes[start : start + _BLOCK]


def _cosines(codes: np.ndarray, query: np.ndarray) -> np.ndarray:
  """Of codes [n, P] and unit t [M, K], float32 [n, M]."""
  return (np.unpackbits(codes, axis=1) * np.float32(2) - 1) @ query.T


def _place(
  video: int, segments: Segments, clip: Clip, query: np.ndarray
) -> Moment:
  seconds, duration, codes = segments
  score, start = place(_cosines(codes, query), seconds, duration, clip)
  first, phase = divmod(round(start / seconds * _STEPS), _STEPS)
  bits = [
    np.bitwise_count(codes[row] ^ np.packbits(clip.t[frame] >= 0)).sum()
    for row, frame in _meeting(phase, seconds, clip, first)
    if 0 <= row < len(codes)
  ]
  return Moment(
    score,
    video,
    max(start, 0.0),
    min(start + clip.duration, duration),
    round(float(np.mean(bits))),
  )


def place(
  similar: np.ndarray, seconds: float, duration: float, clip: Clip
) -> tuple[float, float]:
  """Where a clip fits best, the first of equals: mean similarity and start.

  Args:
    similar: [n, M], of the frames of a video's segments to those of the clip.
    seconds: of a segment.
    duration: of the video, seconds; the start may be below 0 where the clip is
      longer.
    clip: its times and duration count.
  """
  count, steps = len(similar), _STEPS / seconds
  spare = duration - clip.duration
  low = math.ceil(min(spare, 0.0) * steps)
  high = math.floor(max(spare, 0.0) * steps)
  # Starts whole segments apart meet the same frames, of other segments.
  begin, end = low // _STEPS, high // _STEPS + 1
  total = np.zeros((_STEPS, end - begin), np.float32)
  seen = np.zeros(total.shape, int)
  columns = np.ascontiguousarray(similar.T)
  for phase in range(_STEPS):
    for shift, frame in _meeting(phase, seconds, clip):
      first, last = max(begin, -shift), min(end, count - shift)
      if first < last:
        places = phase, slice(first - begin, last - begin)
        total[places] += columns[frame, first + shift : last + shift]
        seen[places] += 1
  scores = np.where(seen, total / np.maximum(seen, 1), -1.0).T.ravel()
  scores = np.rint(scores * 2**20) / 2**20
  skipped = begin * _STEPS
  best = low + int(np.argmax(scores[low - skipped : high + 1 - skipped]))
  return float(scores[best - skipped]), best / steps


def _meeting(
  phase: int, seconds: float, clip: Clip, first: int = 0
) -> list[tuple[int, int]]:
  """Which segments a clip covers the middles of, and its frames nearest these.

  Args:
    phase: of _STEPS, how far into segment number `first` the clip begins.
    seconds: of a segment.
    clip: as long as a segment at least: else it could lie between two frames.
    first: see `phase`.
  """
  length = max(clip.duration, seconds)
  shifts = np.arange(math.ceil(length / seconds) + 1)
  since = (shifts + 0.5 - phase / _STEPS) * seconds
  shifts, since = (x[(since >= 0) & (since < length)] for x in (shifts, since))
  between = (clip.times[1:] + clip.times[:-1]) / 2
  frames = np.searchsorted(between, since)
  return list(zip((first + shifts).tolist(), frames.tolist()))
