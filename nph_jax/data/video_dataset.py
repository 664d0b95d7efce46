"""Built data: splits of stored videos, read by row number."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

import numpy as np

from nph_jax.data.quiet_tensorflow import tf
from nph_jax.data.records import Records


@dataclasses.dataclass(frozen=True)
class Split:
  """One split; rows in file order, `index` of a video = its row.

  `source` stands for the frames' content: equal sources, equal videos.
  """

  name: str
  num_frames: int
  feature_dim: int
  num_labels: int
  has_labels: bool
  source: tuple[str, ...]
  records: Records

  @property
  def num_videos(self) -> int:
    """N."""
    return len(self.records)

  def same_source_as(self, other: Split) -> bool:
    """Says whether both hold the same videos in the same order."""
    return self.source == other.source

  def parse(self, contents: tf.Tensor, keys: Sequence[str]) -> dict:
    """Decodes serialized examples (B,) into tensors for `keys`.

    `frames` (B, M, L) float16, `labels` (B, num_labels) uint8 (zeros where
    the split has none), `index` (B,) int64, `digest` (B,) int64.
    """
    stored = {
      'frames': tf.io.FixedLenFeature([], tf.string),
      'labels': tf.io.FixedLenFeature([], tf.string),
      'index': tf.io.FixedLenFeature([], tf.int64),
      'digest': tf.io.FixedLenFeature([], tf.int64),
    }
    shapes = {
      'frames': (tf.float16, [-1, self.num_frames, self.feature_dim]),
      'labels': (tf.uint8, [-1, self.num_labels]),
    }
    parsed = tf.io.parse_example(contents, {key: stored[key] for key in keys})
    for key in set(keys) & set(shapes):
      dtype, shape = shapes[key]
      parsed[key] = tf.reshape(tf.io.decode_raw(parsed[key], dtype), shape)
    return parsed

  def read(self, indices: Sequence[int] | np.ndarray) -> dict[str, np.ndarray]:
    """Returns frames, labels, index and digest of the rows `indices`."""
    contents = tf.constant(self.records.read(indices), tf.string)
    parsed = self.parse(contents, ('frames', 'labels', 'index', 'digest'))
    return {key: value.numpy() for key, value in parsed.items()}


@dataclasses.dataclass(frozen=True)
class VideoDataset:
  """A built data set; `key` changes whenever the sources' content does."""

  key: str
  num_frames: int
  feature_dim: int
  num_labels: int
  splits: dict[str, Split]

  def split(self, name: str) -> Split:
    """Returns 'train', 'query' or 'database'."""
    return self.splits[name]
