"""TFDS builder: feature files or generated videos -> sharded TFRecord.

The shard-based builder writes examples as they come, in file order. The
generator-based one would sort a whole split in memory first: with shuffling
off, all that exceeds its buffer of a gigabyte lands in one bucket.
"""

from __future__ import annotations

import contextlib
import functools
import io
import os
import pathlib
import shutil
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import numpy as np
import tqdm

from nph_jax.data import building, digests, progress, sources
from nph_jax.data.quiet_tensorflow import tfds
from nph_jax.data.records import Records
from nph_jax.data.rows import Rows, video_bytes
from nph_jax.data.video_dataset import Split, VideoDataset

# TFDS keeps the examples of a shard until it is written: the memory bound.
SHARD_BYTES = 128 << 20
_DESCRIPTIONS = {
  'fcvid': 'FCVID: query and database are the same 45,600 videos.',
  'activitynet': 'ActivityNet: the public 30 x 2048 files, or 25 x 4096.',
  'yfcc': 'YFCC: nine training shards, two database shards.',
  'ucf101': 'UCF101: the database is the training set.',
  'hmdb51': 'HMDB51: the database is the training set.',
  'custom': "Anyone's own feature files.",
  'moving_digits': 'Moving handwritten digits, generated.',
}


class VideoFeatures(tfds.core.ShardBasedBuilder):
  """Frame features, labels, row number and content digest of every video.

  `splits` holds what is stored; videos that two splits share are stored once.
  """

  VERSION = tfds.core.Version('1.0.0')
  BUILDER_CONFIGS = [
    tfds.core.BuilderConfig(name=name, description=_DESCRIPTIONS[name])
    for name in sources.NAMES
  ]

  def __init__(
    self, *, shape: sources.DataShape, splits: Mapping[str, Rows], **kwargs: Any
  ):
    self._shape = shape
    self._splits = splits
    super().__init__(**kwargs)

  @property
  def _num_videos(self) -> int:
    return sum(rows.num_videos for rows in self._splits.values())

  def _info(self) -> tfds.core.DatasetInfo:
    shape = self._shape
    tensor = functools.partial(tfds.features.Tensor, encoding='bytes')
    frames = shape.num_frames, shape.feature_dim
    features = {
      'frames': tensor(shape=frames, dtype=np.float16),
      'labels': tensor(shape=(shape.num_labels,), dtype=np.uint8),
      'index': tfds.features.Scalar(dtype=np.int64),
      'digest': tfds.features.Scalar(dtype=np.int64),
    }
    return tfds.core.DatasetInfo(
      builder=self,
      description=self.builder_config.description,
      features=tfds.features.FeaturesDict(features),
      disable_shuffling=True,
    )

  def _shard_iterators_per_split(
    self, dl_manager: Any
  ) -> dict[str, list[Callable[[], Iterator]]]:
    bar = progress.bar('building the data', self._num_videos, ' videos')
    return {
      name: [
        functools.partial(_examples, rows, low, high, bar)
        for low, high in _shard_ranges(rows)
      ]
      for name, rows in self._splits.items()
    }


def _shard_ranges(rows: Rows) -> list[tuple[int, int]]:
  count = -(-rows.num_videos * video_bytes(rows.shape) // SHARD_BYTES)
  count = min(count, rows.num_videos)
  ends = np.linspace(0, rows.num_videos, count + 1).astype(int)
  return list(zip(ends[:-1].tolist(), ends[1:].tolist()))


def _examples(
  rows: Rows, start: int, stop: int, bar: tqdm.tqdm
) -> Iterator[tuple[int, dict[str, Any]]]:
  index = start
  for frames, labels in rows.read(start, stop):
    for video, label in zip(frames, labels):
      digest = digests.content_digest(video.tobytes())
      values = {'labels': label, 'index': index, 'digest': digest}
      yield index, {'frames': video, **values}
      index += 1
      bar.update()


def _remove_stale(data_dir: pathlib.Path) -> None:
  """Removes what killed builds left; only under the lock on `data_dir`."""
  pattern = f'*/{VideoFeatures.name}/*/{tfds.core.constants.INCOMPLETE_PREFIX}*'
  for folder in data_dir.glob(pattern):
    shutil.rmtree(folder, ignore_errors=True)


def _prepare(builder: VideoFeatures, folder: pathlib.Path) -> None:
  offline = tfds.download.DownloadConfig(try_download_gcs=False)
  # TFDS announces a download on stdout; there is none.
  with (
    building.whole_or_nothing(folder),
    contextlib.redirect_stdout(io.StringIO()),
  ):
    builder.download_and_prepare(download_config=offline)
    shutil.rmtree(folder / 'downloads')


def _stored_names(made_of: Mapping[str, tuple]) -> dict[str, str]:
  """Returns for every split the first one with the same frames and labels."""
  return {
    name: next(other for other in made_of if made_of[other] == made_of[name])
    for name in made_of
  }


def _built(
  spec: sources.DataSpec,
  shape: sources.DataShape,
  stored: Mapping[str, str],
  folder: pathlib.Path,
) -> dict[str, Records]:
  """Builds `folder` if it is not there; returns the records of every split."""
  builder = VideoFeatures(
    shape=shape,
    splits={
      name: Rows(spec, shape, name) for name in dict.fromkeys(stored.values())
    },
    config=spec.name,
    data_dir=folder,
  )
  # The folder appears in one rename, so it is whole if it is there.
  if not builder.data_path.exists():
    _prepare(builder, folder)
  records = {
    name: Records(
      [os.fspath(path) for path in info.filepaths], info.shard_lengths
    )
    for name, info in builder.info.splits.items()
  }
  return {name: records[other] for name, other in stored.items()}


def build(
  spec: sources.DataSpec,
  data_dir: str | os.PathLike[str],
  shape: sources.DataShape | None = None,
) -> VideoDataset:
  """Returns the data set, built under `data_dir` unless it is there already.

  It lies in `data_dir/<name>-<key>`, the key made of the sources' content.

  Args:
    spec: the sources.
    data_dir: where built data lie.
    shape: what sources.check said of them, if it was asked already.

  Raises:
    UserError: as sources.check and blocks.FeatureFiles.read; full disk; built
      data damaged since.
  """
  shape = shape or sources.check(spec)
  data_dir = pathlib.Path(data_dir)
  with building.exclusive(data_dir):
    _remove_stale(data_dir)
    made_of = digests.split_sources(spec, shape, data_dir)
    sizes = (shape.num_frames, shape.feature_dim, shape.num_labels)
    key = digests.content_key(str(VideoFeatures.VERSION), *sizes, made_of)
    records = _built(
      spec, shape, _stored_names(made_of), data_dir / f'{spec.name}-{key}'
    )
  digits = spec.name == 'moving_digits'
  splits = {
    name: Split(
      name,
      *sizes,
      has_labels=digits or bool(spec.split(name).labels),
      source=made_of[name][0],
      records=records[name],
    )
    for name in sources.SPLITS
  }
  return VideoDataset(key, *sizes, splits)
