"""Videos of handwritten digits that move and bounce: data without a download.

The task the LSTM autoencoder was made for (reference [34] of the paper,
Srivastava, Mansimov and Salakhutdinov, ICML 2015), with scikit-learn's bundled
8 x 8 digits. Digits are placed bilinearly: with steps around one pixel on a
small canvas, whole-pixel placement would hide the velocity.
"""

from __future__ import annotations

import functools
import importlib.util
import pathlib

import numpy as np

NUM_FRAMES = 25
# The smallest on which digits move: a third of the frames' variance is within
# videos, near the quarter of real features (ucf101_10); on 12 four fifths are.
CANVAS = 9
# The brightest pixel: a mean square of 1.7 on the default canvas, near the 1.0
# to 1.5 of fc7 features, for which the paper chose the weights of its losses.
PEAK = 3.0
DIGIT = 8
NUM_LABELS = 10
# Each split's share of every class's source images: from, to.
_POOLS = {'train': (0.0, 0.6), 'query': (0.6, 0.75), 'database': (0.75, 1)}
_SPEED = (0.4, 1.6)  # pixels per frame
# Uniform numbers used by one video; Philox counts in steps of four.
_DRAWS = 12
_PHILOX_STEP = 4
# Streams of one seed: how images are split, then one for each split's videos.
_STREAMS = {'pools': 0, 'train': 1, 'query': 2, 'database': 3}


@functools.cache
def _source_images() -> tuple[np.ndarray, np.ndarray]:
  """Returns (1797, 8, 8) float32 in [0, PEAK] and (1797,) classes.

  They are scikit-learn's digits. Its own reader is in a package that takes two
  seconds to import.
  """
  package = pathlib.Path(importlib.util.find_spec('sklearn').origin).parent
  table = np.loadtxt(package / 'datasets/data/digits.csv.gz', delimiter=',')
  images = table[:, :-1].reshape(-1, DIGIT, DIGIT) * (PEAK / 16)
  return images.astype(np.float32), table[:, -1].astype(int)


def _generator(stream: str, seed: int, counter: int = 0) -> np.random.Generator:
  key = np.array([seed, _STREAMS[stream]], np.uint64)
  return np.random.Generator(np.random.Philox(key=key, counter=counter))


def source_pool(split: str, seed: int) -> np.ndarray:
  """Returns the ids of the source images a split draws from, disjoint by split.

  The same share of every class, so each split has all ten.
  """
  classes = _source_images()[1]
  generator = _generator('pools', seed)
  low, high = _POOLS[split]
  parts = []
  for label in range(NUM_LABELS):
    ids = generator.permutation(np.flatnonzero(classes == label))
    parts.append(ids[round(low * len(ids)) : round(high * len(ids))])
  return np.concatenate(parts)


def _uniforms(split: str, start: int, stop: int, seed: int) -> np.ndarray:
  """Returns (B, _DRAWS) in [0, 1): row i depends on (seed, split, i) alone."""
  generator = _generator(split, seed, start * (_DRAWS // _PHILOX_STEP))
  return generator.random((stop - start, _DRAWS))


def _bounce(position: np.ndarray, span: float) -> np.ndarray:
  """Reflects a straight path at 0 and `span`."""
  return span - np.abs(position % (2 * span) - span)


def _paths(u: np.ndarray, num_frames: int, span: float) -> np.ndarray:
  """Returns corner positions (B, 2 digits, M, 2 axes) in [0, span]."""
  start = u[:, 3:7].reshape(-1, 2, 1, 2) * span
  angle = 2 * np.pi * u[:, 7:9]
  speed = _SPEED[0] + (_SPEED[1] - _SPEED[0]) * u[:, 9:11]
  velocity = speed[..., None] * np.stack([np.sin(angle), np.cos(angle)], -1)
  time = np.arange(num_frames)[:, None]
  return _bounce(start + velocity[:, :, None] * time, span)


def _weights(position: np.ndarray, canvas: int) -> np.ndarray:
  """Returns (..., canvas, 8): how much each digit line gives a canvas line."""
  # It depends on how many lines apart the two are, on few values.
  apart = np.arange(1 - DIGIT, canvas) - position[..., None]
  weights = np.maximum(0, 1 - np.abs(apart)).astype(np.float32)
  windows = np.lib.stride_tricks.sliding_window_view(weights, DIGIT, axis=-1)
  return np.ascontiguousarray(windows[..., ::-1])


def make_videos(
  split: str,
  start: int,
  stop: int,
  *,
  seed: int,
  num_frames: int = NUM_FRAMES,
  canvas: int = CANVAS,
) -> tuple[np.ndarray, np.ndarray]:
  """Makes videos start..stop-1 of a split; any block can be made alone.

  Args:
    split: 'train', 'query' or 'database'.
    start: first video.
    stop: one past the last video.
    seed: decides source images, digits and paths.
    num_frames: M.
    canvas: side of the square image in pixels, at least 9.

  Returns:
    frames (B, M, canvas * canvas) float16 in [0, PEAK], and labels (B, 10)
    uint8, multi-hot: the classes of the video's one or two digits.
  """
  images, classes = _source_images()
  pool = source_pool(split, seed)
  u = _uniforms(split, start, stop, seed)
  # Row and column matrices turn "place at a fraction" into two products.
  rows, columns = np.moveaxis(
    _weights(_paths(u, num_frames, canvas - DIGIT), canvas), 3, 0
  )
  ids = pool[(u[:, 1:3] * len(pool)).astype(np.int64)]  # (B, 2)
  present = np.stack([np.ones(len(u), bool), u[:, 0] < 0.5], axis=1)
  digits = images[ids] * present[..., None, None]
  placed = rows @ digits[:, :, None] @ np.swapaxes(columns, -1, -2)
  frames = placed.max(axis=1).astype(np.float16)
  labels = np.zeros((len(u), NUM_LABELS), np.uint8)
  video, digit = np.nonzero(present)
  labels[video, classes[ids[video, digit]]] = 1
  return frames.reshape(len(u), num_frames, canvas * canvas), labels
