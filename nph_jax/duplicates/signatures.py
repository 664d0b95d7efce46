"""What tells copies apart, beside the codes that a library searches by.

"Similar" wants codes that bring the like together, "the same" those that keep
them apart. Candidates are found by such codes: ITQ of the second moments of a
video's frames (models.itq_moments), 512 bits. They are checked by the frames
themselves: along up to 512 principal directions, half whitened, as int8. So
many directions matter more than which: strangers' frames are then all but
orthogonal, as they are not in 64.

All is learned from the library itself, but for codes and mean of a small one,
which are the starter's.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import scipy.linalg

from nph_jax.library import closed_form, codes
from nph_jax.models import log_covariance

NUM_BITS = 512
_DIRECTIONS = 512
_RIDGE = 0.1  # of the mean variance, so that a few videos do not decide
_STILL = 0.3  # of the median mean frame's length; less motion is partly noise
_TAUGHT = 2000  # videos, drawn at random, that codes are learned from
_MOVING = 500  # of those, all frames of which directions are learned from
_BLOCK = 64
_TINY = 1e-12
_SEED = 0

Read = Callable[[Sequence[int]], np.ndarray]
Tables = Mapping[str, np.ndarray]


class Signatures(NamedTuple):
  """Of N videos.

  Attributes:
    frames: int8 [N, M, P], each video at its own scale.
    motion: float32 [N], how much of it is no noise, 1 at most.
    codes: uint8 [N, K / 8].
  """

  frames: np.ndarray
  motion: np.ndarray
  codes: np.ndarray


def learn(read: Read, shape: tuple[int, int, int]) -> Tables:
  """The tables of models.itq_moments for a library, `whitening` and `still`.

  Args:
    read: frames float16 [n, M, L] of the videos of these numbers, below N.
    shape: (N, M, L).

  Raises:
    UserError: all videos are the same.
  """
  count, num_frames, width = shape
  order = np.random.default_rng(_SEED).permutation(count)

  def blocks(at_most: int) -> Iterator[np.ndarray]:
    some = np.sort(order[:at_most]).tolist()
    for start in range(0, len(some), _BLOCK):
      yield read(some[start : start + _BLOCK])

  tables = _starter(width) if count < codes.FIRST else None
  if tables is None:
    bits = min(NUM_BITS, log_covariance.dim(width) // 8 * 8)
    taught = min(count, _TAUGHT), num_frames, width
    tables = closed_form.fit(
      'itq_moments', bits, lambda: blocks(_TAUGHT), taught
    )
  whitening = _whitening(blocks(_MOVING), tables['frame_mean'])
  tables = {**tables, 'whitening': whitening}
  means = [_along(x, tables).mean(axis=1) for x in blocks(_MOVING)]
  lengths = np.linalg.norm(np.concatenate(means), axis=1)
  return {**tables, 'still': _STILL * np.median(lengths)}


def _starter(width: int) -> Tables | None:
  with np.load(codes.STARTER) as archive:
    tables = dict(archive)
  return tables if len(tables['frame_mean']) == width else None


def _whitening(blocks: Iterator[np.ndarray], mean: np.ndarray) -> np.ndarray:
  """Directions [L, P], times the fourth root of 1 / (variance + ridge)."""
  width = len(mean)
  moments, count = np.zeros((width, width), np.float32), 0
  for block in blocks:
    frames = block.reshape(-1, width) - mean
    moments += frames.T @ frames
    count += len(frames)
  first = max(width - _DIRECTIONS, 0)
  variances, directions = scipy.linalg.eigh(
    moments / count, subset_by_index=(first, width - 1)
  )
  ridge = _RIDGE * np.trace(moments) / count / width
  variances = np.maximum(variances, 0) + max(ridge, _TINY)
  return np.asarray(directions * variances**-0.25, np.float32)


def _along(frames: np.ndarray, tables: Tables) -> np.ndarray:
  """Frames [B, M, L] along the directions, [B, M, P]."""
  centred = frames.astype(np.float32) - tables['frame_mean']
  return centred @ tables['whitening']


def of(read: Read, tables: Tables, rows: Sequence[int]) -> Signatures:
  """The signatures of videos.

  Args:
    read: as `learn` has it.
    tables: of `learn`.
    rows: numbers of videos, one or more.
  """
  pool = jax.jit(lambda frames: log_covariance.pool(frames, tables))
  num_frames, width = read(rows[:1]).shape[1], tables['whitening'].shape[1]
  # By far the largest: not in two pieces at once.
  kept = np.empty((len(rows), num_frames, width), np.int8)
  found = []
  for start in range(0, len(rows), _BLOCK):
    frames = read(rows[start : start + _BLOCK]).astype(np.float32)
    # One size, one program.
    filled = jnp.pad(frames, ((0, _BLOCK - len(frames)), (0, 0), (0, 0)))
    moments = np.asarray(pool(filled))[: len(frames)] - tables['mean']
    bits = np.packbits(moments @ tables['projection'] > 0, axis=1)
    whole, motion = _whole_numbers(_along(frames, tables), tables)
    kept[start : start + _BLOCK] = whole
    found.append((motion, bits))
  return Signatures(kept, *map(np.concatenate, zip(*found)))


def _whole_numbers(
  along: np.ndarray, tables: Tables
) -> tuple[np.ndarray, np.ndarray]:
  """Frames as int8, and motion: the spread of frames, `still` or more is 1."""
  spread = np.sqrt(along.var(axis=1).sum(axis=1))
  motion = np.minimum(spread / max(tables['still'], _TINY), 1)
  largest = np.abs(along).max(axis=(1, 2), keepdims=True)
  scaled = np.rint(along * (127 / np.maximum(largest, _TINY)))
  return scaled.astype(np.int8), motion.astype(np.float32)
