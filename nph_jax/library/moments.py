"""Clips in long videos, by the codes of single frames.

To a hash function a frame is a video that stands still. So the codes of
segments are the library's own, whatever bundle it has. They say which videos
are looked at again: by the features of their frames, which are nearer to those
of a copy than to any others (benchmarks/README.md, "Moments").
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from nph_jax import export
from nph_jax.index import Hit, VideoIndex
from nph_jax.index.segments import Clip, place
from nph_jax.library import shots
from nph_jax.library import store as store_lib

CHECKED = 20  # videos that are looked at again


def find(
  index: VideoIndex,
  store: store_lib.Store,
  hasher: export.Hasher,
  frames: np.ndarray,
  about: Mapping[str, Any],
  k: int,
  where: dict[str, Any] | None = None,
) -> list[Hit]:
  """The k videos in which a clip is, or what is most like it, and where.

  Args:
    index, store, hasher: of the library.
    frames: [M, L] of the clip.
    about: its record: duration, and frame_times where they are known, seconds.
    k, where: as VideoIndex.moments has them.

  Returns:
    Hits whose score is the mean cosine of the frames that meet, less the mean
    of all frames that were looked at; of those beyond CHECKED it is of codes.
  """
  looked_for = clip(frames, about, hasher)
  hits = index.moments(looked_for, max(k, CHECKED), where)
  parts = {hit.id: _parts(store, hit) for hit in hits[:CHECKED]}
  return checked(hits, parts, frames, looked_for)[:k]


def _parts(store: store_lib.Store, hit: Hit) -> shots.Parts | None:
  """Segments; where there are none the frames of the whole video."""
  found = store.segments_of(hit.id)
  if found is None and 'duration' in hit.metadata:
    frames = store.frames_of(hit.id)
    if frames is not None:
      found = shots.equal(hit.metadata['duration'] / len(frames), frames)
  return found


def checked(
  hits: Sequence[Hit],
  parts: Mapping[int, shots.Parts | None],
  frames: np.ndarray,
  looked_for: Clip,
) -> list[Hit]:
  """Hits looked at again, by what `find` says; those without parts come last.

  Args:
    hits: of VideoIndex.moments.
    parts: segments of each video, where known, or the frames of one that has
      none.
    frames: [M, L] of the clip.
    looked_for: that clip.
  """
  known = [hit for hit in hits if parts.get(hit.id)]
  if not known:
    return list(hits)
  total, count = 0.0, 0
  for hit in known:
    _, rows, lengths = parts[hit.id]
    total += lengths.astype(np.float32) @ rows.astype(np.float32)
    count += lengths.sum()
  mean = (total / count).astype(np.float32)
  shown = _unit(frames.astype(np.float32) - mean)
  found = [_again(x, parts[x.id], shown, mean, looked_for) for x in known]
  found.sort(key=lambda hit: (-hit.score, hit.id))
  return found + [hit for hit in hits if not parts.get(hit.id)]


def _again(
  hit: Hit,
  parts: shots.Parts,
  shown: np.ndarray,
  mean: np.ndarray,
  looked_for: Clip,
) -> Hit:
  # Cosines with rows less the mean, which are not made.
  rows = parts.frames.astype(np.float32)
  squares = np.einsum('nl,nl->n', rows, rows) - 2 * (rows @ mean) + mean @ mean
  similar = rows @ shown.T - shown @ mean
  similar /= np.sqrt(np.maximum(squares, 1e-9))[:, None]
  similar = similar.repeat(parts.lengths, axis=0)
  duration = hit.metadata.get('duration', parts.seconds * len(similar))
  score, start = place(similar, parts.seconds, duration, looked_for)
  if hit.start is None:
    return dataclasses.replace(hit, score=score)
  end = min(start + looked_for.duration, duration)
  return dataclasses.replace(hit, score=score, start=max(start, 0.0), end=end)


def _unit(rows: np.ndarray) -> np.ndarray:
  lengths = np.linalg.norm(rows, axis=1, keepdims=True)
  return rows / np.maximum(lengths, 1e-9)


def still(frames: np.ndarray, num_frames: int) -> np.ndarray:
  """Frames [n, L] as n videos of one frame each, [n, M, L]."""
  return np.repeat(frames[:, None], num_frames, axis=1)


def clip(
  frames: np.ndarray, about: Mapping[str, Any], hasher: export.Hasher
) -> Clip:
  """What VideoIndex.moments looks for.

  Args:
    frames: [M, L] of the clip.
    about: its record: duration, and frame_times where they are known, seconds.
    hasher: of the index.
  """
  duration = float(about['duration'])
  centres = (np.arange(len(frames)) + 0.5) * duration / len(frames)
  times = np.asarray(about.get('frame_times', centres), np.float64)
  _, t = hasher.encode_relaxed(still(frames, hasher.num_frames))
  _, (whole,) = hasher.encode_relaxed(frames[None])
  return Clip(t, times, duration, whole)
