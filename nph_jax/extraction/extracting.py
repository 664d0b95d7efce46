"""Frame features of videos, one after the other."""

from __future__ import annotations

import contextlib
import dataclasses
import itertools
import os
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np

from nph_jax import cluster, errors
from nph_jax.data import progress
from nph_jax.extraction import (
  backbones,
  files,
  images,
  onnx_model,
  streams,
  tasks,
  video_file,
  workers,
)

# The key of the reason in the record of a video that gives nothing.
ERROR = 'error'

# A video, its record, its frames [M, L] and those of its segments [n, L].
Done = Callable[
  [files.Video, dict[str, Any], np.ndarray | None, np.ndarray | None], None
]


@dataclasses.dataclass(frozen=True)
class Options:
  """What features are to be, and how much that may take.

  Attributes:
    backbone: as backbones.find reads it.
    weights: file; None for those of ImageNet.
    precision: one of the backbone's.
    num_frames: M.
    num_workers: decoding processes.
    time_limit: seconds to decode one video.
    batch_size: videos that go through the network together.
    provider: of ONNX Runtime.
    cluster: address of a Ray cluster that does it all; None: this machine.
    spacing: seconds between the frames of the stream that segments are features
      of; None: there are none.
  """

  backbone: str
  weights: str | None
  precision: str
  num_frames: int
  num_workers: int
  time_limit: float
  batch_size: int = 4
  provider: str = onnx_model.CPU
  cluster: str | None = None
  spacing: float | None = None


def extract(
  options: Options, videos: Sequence[files.Video], done: Done
) -> None:
  """Extracts videos, a bar on the way.

  Args:
    options: see there.
    videos: in the order in which they are done.
    done: is told of each video in turn: its record, which says under ERROR why
      there is nothing, its frames float16 [M, L] or None, and those of its
      segments, None without any.

  Raises:
    UserError: no weights, or a package is missing.
  """
  if not videos:
    return
  # Else every video would be skipped for the want of a package.
  video_file.import_av()
  images.import_pillow()
  results = (_on_cluster if options.cluster else _here)(options, videos)
  bar = progress.bar('extracting', len(videos), 'video')
  with contextlib.closing(results), bar:
    for video, result in zip(videos, results):
      done(video, *_outcome(options, video, result))
      bar.update(1)


def _here(
  options: Options, videos: Sequence[files.Video]
) -> Iterator[tasks.Features | workers.Failure]:
  """Decoded in other processes, through the network in this one, in groups."""
  backbone = backbones.create(
    options.backbone, options.weights, options.precision, options.provider
  )
  work = [_task(options, video) for video in videos]
  how = {
    'num_workers': options.num_workers,
    'ahead': 2 * options.batch_size + options.num_workers,
    'time_limit': options.time_limit,
  }
  if options.spacing is None:
    results = workers.ordered(tasks.decode, work, **how)
  else:
    results = streams.ordered(work, backbone.features, **how)
  with contextlib.closing(results):
    while group := list(itertools.islice(results, options.batch_size)):
      good = [x for x in group if isinstance(x, tasks.Decoded)]
      frames = iter(_frames(options, backbone, good))
      for x in group:
        bad = isinstance(x, workers.Failure)
        yield x if bad else tasks.Features(next(frames), x.facts, x.stream)


def _on_cluster(
  options: Options, videos: Sequence[files.Video]
) -> Iterator[tasks.Features | workers.Failure]:
  if options.provider != onnx_model.CPU:
    raise errors.UserError(
      f'--provider={options.provider}: the nodes of a cluster compute on their '
      'cores; leave it out, or --cluster.'
    )
  return cluster.ordered(
    tasks.features,
    [_task(options, video) for video in videos],
    address=options.cluster,
    ahead=options.num_workers,
    time_limit=options.time_limit,
  )


def _task(options: Options, video: files.Video) -> tasks.Task:
  weights = options.weights and os.path.abspath(options.weights)
  return tasks.Task(
    os.path.abspath(video.path),
    options.backbone,
    options.num_frames,
    options.spacing,
    weights,
    options.precision,
  )


def _frames(
  options: Options, backbone: backbones.Backbone, good: Sequence[tasks.Decoded]
) -> np.ndarray:
  """float16 [videos, M, L]."""
  if not good:
    return np.empty((0, options.num_frames, backbone.feature_dim), np.float16)
  values = backbone.features(np.concatenate([x.batch for x in good]))
  return tasks.half(values).reshape(len(good), options.num_frames, -1)


def _outcome(
  options: Options, video: files.Video, result: tasks.Features | workers.Failure
) -> tuple[dict[str, Any], np.ndarray | None, np.ndarray | None]:
  """Record, frames and segments."""
  # Else whoever reads the manifest lacks the name.
  if not files.is_text(video.path):
    reason = (
      'its name is not UTF-8, as manifest and index have to be; rename it'
    )
  elif isinstance(result, workers.Failure):
    return {ERROR: result.reason}, None, None
  elif not all(
    np.isfinite(x).all()
    for x in (result.frames, result.stream)
    if x is not None
  ):
    reason = 'its features exceed float16 or are no numbers; check the weights'
  else:
    record = {**result.facts, 'backbone': options.backbone}
    return record, result.frames, result.stream
  return {ERROR: f'{video.path}: {reason}.'}, None, None
