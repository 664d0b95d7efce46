"""What tells copies apart, beside the codes that a library searches by.

"Similar" wants codes that bring the like together, "the same" those that keep
them apart. A video is two unit vectors, end to end:

  v  the second moments of its frames (models.log_covariance), less their mean:
     what is to be seen;
  r  how its frames, in log_covariance's directions, differ from their own mean,
     in the order of time: what happens when. Clips of one scene share v; but
     copies alone share r, as r of others are all but orthogonal.

r of a video in which little moves is noise: it is as short as there is less
motion than in half of the library's median video. The inner product of two
videos is the cosine of (v, r). Codes are ITQ of v, 256 bits.

All is learned from the library itself; a small one has the starter's tables.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence

import jax
import jax.numpy as jnp
import numpy as np

from nph_jax.library import closed_form, codes
from nph_jax.models import log_covariance

NUM_BITS = 256
_TAUGHT = 2000  # videos, drawn at random, that the tables are learned from
_BLOCK = 64
_TINY = 1e-12
_SEED = 0

Read = Callable[[Sequence[int]], np.ndarray]
Tables = Mapping[str, np.ndarray]


def learn(read: Read, shape: tuple[int, int, int]) -> Tables:
  """The tables of models.itq_moments for a library, and `motion` [].

  Args:
    read: frames float16 [n, M, L] of the videos of these numbers, below N.
    shape: (N, M, L).

  Raises:
    UserError: all videos are the same.
  """
  count, num_frames, width = shape
  order = np.random.default_rng(_SEED).permutation(count)
  some = np.sort(order[:_TAUGHT]).tolist()

  def blocks() -> Iterator[np.ndarray]:
    for start in range(0, len(some), _BLOCK):
      yield read(some[start : start + _BLOCK])

  tables = _starter(width) if count < codes.FIRST else None
  if tables is None:
    bits = min(NUM_BITS, log_covariance.dim(width) // 8 * 8)
    taught = len(some), num_frames, width
    tables = closed_form.fit('itq_moments', bits, blocks, taught)
  lengths = [np.linalg.norm(_motion(x, tables), axis=1) for x in blocks()]
  return {**tables, 'motion': np.median(np.concatenate(lengths))}


def _starter(width: int) -> Tables | None:
  with np.load(codes.STARTER) as archive:
    tables = dict(archive)
  return tables if len(tables['frame_mean']) == width else None


def _motion(frames: np.ndarray, tables: Tables) -> np.ndarray:
  """How frames differ from their video's mean, [B, M P]."""
  along = frames.astype(np.float32) @ tables['frame_directions']
  return (along - along.mean(axis=1, keepdims=True)).reshape(len(frames), -1)


def vectors(read: Read, tables: Tables, rows: Sequence[int]) -> np.ndarray:
  """(v, r) of unit length, float16 [n, P].

  Args:
    read: as `learn` has it.
    tables: of `learn`.
    rows: numbers of videos, one or more.
  """
  pool = jax.jit(lambda frames: log_covariance.pool(frames, tables))
  found = []
  for start in range(0, len(rows), _BLOCK):
    frames = read(rows[start : start + _BLOCK]).astype(np.float32)
    # One size, one program.
    filled = jnp.pad(frames, ((0, _BLOCK - len(frames)), (0, 0), (0, 0)))
    moments = np.asarray(pool(filled))[: len(frames)] - tables['mean']
    v, r = _unit(moments), _unit(_motion(frames, tables), tables['motion'] / 2)
    found.append(_unit(np.concatenate([v, r], axis=1)).astype(np.float16))
  return np.concatenate(found)


def _unit(rows: np.ndarray, shortest: float = 0.0) -> np.ndarray:
  """Rows of unit length, or less where they are below `shortest`."""
  lengths = np.linalg.norm(rows, axis=1, keepdims=True)
  return rows / np.maximum(lengths, max(float(shortest), _TINY))


def codes_of(found: np.ndarray, tables: Tables) -> np.ndarray:
  """The codes uint8 [n, K / 8] of `vectors`."""
  projection = tables['projection']
  v = found[:, : len(projection)].astype(np.float32)
  return np.packbits(v @ projection > 0, axis=1)
