"""tf.data pipelines: shuffled training batches and evaluation in file order.

The order of training is a pure function of (seed, epoch), a true permutation of
all videos, so any step can be read without the ones before it.
"""

from __future__ import annotations

import functools
import itertools
import os
from collections.abc import Callable, Iterator

import numpy as np

from nph_jax import errors
from nph_jax.data.quiet_tensorflow import tf
from nph_jax.data.video_dataset import Split

# Batches in the making and ready. A batch of 128 videos of 25 x 4096 has 27 MB
# and is several copies of itself on its way; tf.data's own tuning would fill
# half of the machine's memory. On two cores one at a time is fast enough.
_PARALLEL = max(1, (os.cpu_count() or 1) // 2)
_PREFETCH = 2
_CACHE_BLOCK = 256
_TRAIN_KEYS = ('frames', 'index')
_EVALUATION_KEYS = ('frames', 'labels', 'index', 'digest')


@functools.lru_cache(maxsize=4)
def epoch_order(num_videos: int, seed: int, epoch: int) -> np.ndarray:
  """Returns the permutation (N,) int64 of one epoch."""
  philox = np.random.Philox(key=np.array([seed, epoch], np.uint64))
  return np.random.Generator(philox).permutation(num_videos)


def batch_indices(
  num_videos: int, batch_size: int, seed: int, step: int
) -> np.ndarray:
  """Returns the videos (B,) of the global batch of `step`.

  What is left of an epoch after its last whole batch is dropped.
  """
  epoch, position = divmod(step, num_videos // batch_size)
  order = epoch_order(num_videos, seed, epoch)
  return order[position * batch_size : (position + 1) * batch_size]


def _reading(
  split: Split, rows: Callable[[int], np.ndarray]
) -> Callable[[tf.Tensor], tf.Tensor]:
  """Returns a map: number -> the contents of the records `rows(number)`."""

  def read(number: np.ndarray) -> np.ndarray:
    return np.array(split.records.read(rows(int(number))), object)

  def read_tensor(number: tf.Tensor) -> tf.Tensor:
    contents = tf.numpy_function(read, [number], tf.string)
    return tf.ensure_shape(contents, [None])

  return read_tensor


def train_batches(
  split: Split,
  batch_size: int,
  seed: int,
  start_step: int = 0,
  process_index: int = 0,
  process_count: int = 1,
  residency: str = 'stream',
) -> Iterator[dict[str, np.ndarray]]:
  """Yields one process's part of every global batch from `start_step` on.

  Args:
    split: the training split.
    batch_size: B, of the global batch.
    seed: decides the order.
    start_step: the first step; its batch is the same wherever one starts.
    process_index: reads rows p B/P to (p + 1) B/P of each global batch.
    process_count: P; B must be a multiple of it.
    residency: where the frames are: 'stream', read from disk batch by batch;
      'host', read once into memory; 'device', there already (`all_frames`), so
      that a batch is its `index` alone.

  Returns:
    An endless iterator of `frames` (B/P, M, L) float16 and `index` (B/P,).

  Raises:
    UserError: more videos in a batch than in the split, or B not a multiple
      of P.
  """
  if batch_size > split.num_videos:
    raise errors.UserError(
      f'config.train.batch_size={batch_size} is more than the '
      f'{split.num_videos} training videos; choose at most that.'
    )
  if batch_size % process_count:
    raise errors.UserError(
      f'config.train.batch_size={batch_size} cannot be shared by '
      f'{process_count} processes; choose a multiple of {process_count}.'
    )
  share = batch_size // process_count
  own = slice(process_index * share, (process_index + 1) * share)

  def rows(step: int) -> np.ndarray:
    return batch_indices(split.num_videos, batch_size, seed, step)[own]

  if residency == 'device':
    return ({'index': rows(step)} for step in itertools.count(start_step))
  dataset = tf.data.Dataset.counter(start_step)
  if residency == 'host':
    return _iterate_cached(split, dataset, rows)
  return _iterate(split, dataset, rows, _TRAIN_KEYS)


def all_frames(split: Split) -> np.ndarray:
  """All frames of a split in memory, (N, M, L) float16."""
  shape = (split.num_videos, split.num_frames, split.feature_dim)
  frames = np.empty(shape, np.float16)
  for block in _in_order(split, _CACHE_BLOCK, _TRAIN_KEYS):
    frames[block['index']] = block['frames']
  return frames


def _iterate_cached(
  split: Split, numbers: tf.data.Dataset, rows: Callable[[int], np.ndarray]
) -> Iterator[dict[str, np.ndarray]]:
  """As `_iterate` for training, from frames read once and kept in memory."""
  frames = all_frames(split)

  def gather(number: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    index = rows(int(number))
    return frames[index], index

  def gather_tensors(number: tf.Tensor) -> dict[str, tf.Tensor]:
    types = (tf.float16, tf.int64)
    found, index = tf.numpy_function(gather, [number], types)
    shape = [None, split.num_frames, split.feature_dim]
    return {
      'frames': tf.ensure_shape(found, shape),
      'index': tf.ensure_shape(index, [None]),
    }

  dataset = numbers.map(
    gather_tensors, num_parallel_calls=_PARALLEL, deterministic=True
  )
  return dataset.prefetch(_PREFETCH).as_numpy_iterator()


def _iterate(
  split: Split,
  numbers: tf.data.Dataset,
  rows: Callable[[int], np.ndarray],
  keys: tuple[str, ...],
) -> Iterator[dict[str, np.ndarray]]:
  """Yields the parsed records `rows(number)` of each number, in order."""
  dataset = numbers.map(
    _reading(split, rows), num_parallel_calls=_PARALLEL, deterministic=True
  )
  dataset = dataset.map(functools.partial(split.parse, keys=keys))
  return dataset.prefetch(_PREFETCH).as_numpy_iterator()


def _in_order(
  split: Split, block_size: int, keys: tuple[str, ...]
) -> Iterator[dict[str, np.ndarray]]:
  """Yields the stored videos of a split in file order."""

  def rows(start: int) -> np.ndarray:
    return np.arange(start, min(start + block_size, split.num_videos))

  starts = tf.data.Dataset.range(0, split.num_videos, block_size)
  return _iterate(split, starts, rows, keys)


def evaluation_blocks(
  split: Split, block_size: int
) -> Iterator[dict[str, np.ndarray]]:
  """Yields every video exactly once, in file order, in blocks.

  Returns:
    An iterator of `frames` (B, M, L) float16, `labels` (B, num_labels) uint8,
    `index` (B,) and `digest` (B,) int64. B is `block_size`, less in the last.
  """
  return _in_order(split, block_size, _EVALUATION_KEYS)
