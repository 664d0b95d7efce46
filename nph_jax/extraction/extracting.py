"""One extraction from start to end: what is left to do, done group by group."""

from __future__ import annotations

import contextlib
import dataclasses
import os
import pathlib
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from nph_jax import errors
from nph_jax.data import progress
from nph_jax.extraction import (
  backbones,
  files,
  images,
  onnx_model,
  output,
  store,
  streams,
  tasks,
  video_file,
  workers,
)


@dataclasses.dataclass(frozen=True)
class Options:
  """The flags of `python -m nph_jax.extract`, checked one by one.

  Attributes:
    videos: folder.
    out: the features, of the shard if there are several.
    backbone: as backbones.find reads it.
    weights: file; None for those of ImageNet.
    precision: one of the backbone's.
    num_frames: M.
    labels: whether folders are labels.
    label_names: JSON file that fixes them; None for those found.
    shard: (i, n).
    batch_size: videos that go through the network together.
    num_workers: decoding processes.
    time_limit: seconds to decode one video.
    provider: of ONNX Runtime.
    spacing: seconds between the frames of the stream that a record's `segments`
      are features of; None: there is none.
  """

  videos: str
  out: pathlib.Path
  backbone: str
  weights: str | None
  precision: str
  num_frames: int
  labels: bool
  label_names: str | None
  shard: tuple[int, int]
  batch_size: int
  num_workers: int
  time_limit: float
  provider: str = onnx_model.CPU
  spacing: float | None = None


@dataclasses.dataclass(frozen=True)
class Summary:
  """What came of it: rows, their shape (M, L), and the skipped videos."""

  num_videos: int
  row_shape: tuple[int, int]
  skipped: list[dict[str, Any]]


def run(options: Options) -> Summary:
  """Extracts what is not yet there and writes the files of output.py.

  Raises:
    UserError: bad flags or files, no weights, other flags than an earlier
      run's, what that left is damaged, or no video that could be read.
  """
  all_videos = files.find(options.videos)
  names = None
  if options.labels:
    names = files.label_names(all_videos, options.label_names)
  videos = _shard(options.shard, all_videos)
  width = backbones.feature_dim(options.backbone, options.weights)
  row_shape = options.num_frames, width
  stamp = _stamp(options, videos, names)
  path = output.beside(options.out, '.partial')
  finished = output.finished_stamp(options.out)
  if finished is not None:
    store.check_stamp(str(options.out), finished, stamp)
    store.remove(path)
    skipped = output.read_skipped(options.out)
    num_videos = len(videos) - len(skipped)
    output.check_finished(options.out, num_videos, options.labels)
    return Summary(num_videos, row_shape, skipped)
  with store.Partial(path, stamp, row_shape) as partial:
    extract(options, videos, partial)
    skipped = [record for record in partial.records if store.ERROR in record]
    if partial.num_rows:
      output.write(options.out, partial, stamp, names)
  store.remove(path)
  return Summary(partial.num_rows, row_shape, skipped)


def _shard(
  shard: tuple[int, int], videos: Sequence[files.Video]
) -> list[files.Video]:
  number, total = shard
  own = files.shard(videos, number, total)
  if not own:
    raise errors.UserError(
      f'--shard={number}/{total}: holds no video, as there are {len(videos)} '
      'in all; use fewer shards.'
    )
  return own


def _stamp(
  options: Options, videos: Sequence[files.Video], names: list[str] | None
) -> dict[str, Any]:
  """All that the results depend on, by the names of the flags."""
  return {
    'backbone': options.backbone,
    'precision': options.precision,
    'num_frames': options.num_frames,
    'batch_size': options.batch_size,
    'shard': '{}/{}'.format(*options.shard),
    'weights': _file_stamp(options.weights),
    'labels': 'folders' if options.labels else 'none',
    'label names': names,
    'videos': [len(videos), files.digest(videos)],
  }


def _file_stamp(path: str | None) -> list[int] | None:
  if path is None or not os.path.exists(path):
    return None
  stat = os.stat(path)
  return [stat.st_size, stat.st_mtime_ns]


def extract(
  options: Options, videos: Sequence[files.Video], partial: store.Partial
) -> None:
  """Extracts what `partial` lacks of `videos`, which it is given in groups."""
  left = videos[len(partial.records) :]
  if not left:
    return
  # Else every video would be skipped for the want of a package.
  video_file.import_av()
  images.import_pillow()
  backbone = backbones.create(
    options.backbone, options.weights, options.precision, options.provider
  )
  results = _results(options, backbone, left)
  bar = progress.bar(
    'extracting', len(videos), 'video', initial=len(partial.records)
  )
  with contextlib.closing(results), bar:
    for start in range(0, len(left), options.batch_size):
      group = left[start : start + options.batch_size]
      decoded = [_named(video, next(results)) for video in group]
      partial.append(*_group(options, backbone, group, decoded))
      bar.update(len(group))


def _results(
  options: Options, backbone: backbones.Backbone, videos: Sequence[files.Video]
) -> Iterator[tasks.Decoded | workers.Failure]:
  """What the workers make of each video, in order."""
  order, spacing = [options.backbone, options.num_frames], options.spacing
  work = [tasks.Task(x.path, *order, spacing) for x in videos]
  how = {
    'num_workers': options.num_workers,
    'ahead': 2 * options.batch_size + options.num_workers,
    'time_limit': options.time_limit,
  }
  if spacing is None:
    return workers.ordered(tasks.decode, work, **how)
  return streams.ordered(work, backbone.features, **how)


def _named(
  video: files.Video, result: tasks.Decoded | workers.Failure
) -> tasks.Decoded | workers.Failure:
  """`result`, a Failure where whoever reads the manifest lacks the name."""
  try:
    video.name.encode()
  except UnicodeEncodeError:
    return workers.Failure(
      f'{video.path}: its name is not UTF-8, as manifest and index have to be; '
      'rename it.'
    )
  return result


def _group(
  options: Options,
  backbone: backbones.Backbone,
  group: Sequence[files.Video],
  decoded: Sequence[tasks.Decoded | workers.Failure],
) -> tuple[list[dict[str, Any]], np.ndarray]:
  """Records and rows of videos that go through the network together."""
  good = [x for x in decoded if isinstance(x, tasks.Decoded)]
  rows = iter(_features(options, backbone, good))
  records, kept = [], []
  for video, result in zip(group, decoded):
    if isinstance(result, workers.Failure):
      records.append({'path': video.name, store.ERROR: result.reason})
      continue
    row, stream = next(rows), result.stream
    finite = np.isfinite(row).all() and (
      stream is None or np.isfinite(stream).all()
    )
    if not finite:
      records.append({'path': video.name, store.ERROR: _not_finite(video)})
      continue
    labels = [files.label_of(video)] if options.labels else []
    records.append(
      {
        'path': video.name,
        **result.facts,
        'backbone': options.backbone,
        'labels': labels,
        **({} if stream is None else {'segments': stream}),
      }
    )
    kept.append(row)
  shape = (len(kept), options.num_frames, backbone.feature_dim)
  return records, np.array(kept, np.float16).reshape(shape)


def _not_finite(video: files.Video) -> str:
  return (
    f'{video.path}: its features exceed float16 or are no numbers; check the '
    'weights.'
  )


def _features(
  options: Options, backbone: backbones.Backbone, good: Sequence[tasks.Decoded]
) -> np.ndarray:
  """float16 [videos, M, L]."""
  if not good:
    return np.empty((0, options.num_frames, backbone.feature_dim), np.float16)
  values = backbone.features(np.concatenate([x.batch for x in good]))
  with np.errstate(over='ignore'):
    half = values.astype(np.float16)
  return half.reshape(len(good), options.num_frames, -1)
