"""The input pipeline alone, and what reading from disk adds to a step."""

from __future__ import annotations

import collections
import itertools
import pathlib
import statistics
import tempfile
import time
from collections.abc import Iterator
from typing import Any

import numpy as np

from benchmarks import contenders, fresh, measuring, sizes, videos

RESIDENCIES = ('stream', 'host', 'device')
NUM_VIDEOS, _QUICK_VIDEOS = 1_500, 40
_BATCHES = 60  # after the first, in all of a residency's seconds
_STEPS, _ROUNDS = 12, measuring.RUNS


def run(quick: bool) -> dict[str, Any]:
  """Videos a second by residency, and seconds of a step by source."""
  size = sizes.QUICK_SIZES['quick'] if quick else sizes.SIZES['fcvid']
  num_videos = _QUICK_VIDEOS if quick else NUM_VIDEOS
  with tempfile.TemporaryDirectory() as name:
    files = videos.sources(pathlib.Path(name), num_videos, size)
    fixed = {'folder': name, 'files': files, 'size': size}
    # The first to ask for the data set builds it: not one that is measured.
    fresh.call('benchmarks.pipeline:build', folder=name, files=files)
    alone = {
      residency: fresh.call(
        'benchmarks.pipeline:alone', residency=residency, **fixed
      )
      for residency in RESIDENCIES
    }
    steps = {
      precision: fresh.call(
        'benchmarks.pipeline:steps', precision=precision, **fixed
      )
      for precision in ('float32', 'bfloat16')
    }
  return {
    'size': size._asdict(),
    'num_videos': num_videos,
    'alone': alone,
    'steps': steps,
  }


def build(folder: str, files: dict[str, dict[str, str]]) -> dict[str, Any]:
  """Seconds from feature files to records."""
  path = pathlib.Path(folder)
  return {'seconds': measuring.seconds(lambda: videos.build(path, files))}


def alone(
  folder: str, files: dict[str, dict[str, str]], size: list[int], residency: str
) -> dict[str, Any]:
  """Videos a second after the first batch, and the seconds until it came.

  On the device the frames are read once, by `all_frames`; a batch is its row
  numbers.
  """
  from nph_jax import allocator
  from nph_jax.data import input_pipeline

  allocator.keep_freed_memory()
  split = videos.build(pathlib.Path(folder), files).split('train')
  before = measuring.resident_memory()
  batch = sizes.Size(*size).batch
  start = time.perf_counter()
  frames = input_pipeline.all_frames(split) if residency == 'device' else None
  batches = input_pipeline.train_batches(
    split, batch, seed=0, residency=residency
  )
  next(batches)
  first = time.perf_counter() - start
  some = itertools.islice(batches, _BATCHES)
  taken = measuring.seconds(lambda: collections.deque(some, maxlen=0))
  del frames
  return {
    'first_batch': first,
    'videos_per_second': _BATCHES * batch / taken,
    'bytes_before': before,
  }


def steps(
  folder: str, files: dict[str, dict[str, str]], size: list[int], precision: str
) -> dict[str, Any]:
  """Seconds of a step, from disk and from memory, and the former's overhead.

  Taken in turns of several steps, each on a pipeline of its own: a pipeline
  that reads ahead while the other's steps run would look faster than it is.
  """
  from nph_jax.data import input_pipeline

  size = sizes.Size(*size)
  split = videos.build(pathlib.Path(folder), files).split('train')
  trainer = _Trainer(size, precision)
  one = {
    'frames': sizes.frames(size.batch, size),
    'index': np.arange(size.batch),
  }
  times: dict[str, list[float]] = {'memory': [], 'stream': []}
  for turn in range(_ROUNDS + 1):
    times['memory'].append(trainer.seconds_of_a_step(itertools.repeat(one)))
    stream = input_pipeline.train_batches(split, size.batch, 0, turn * _STEPS)
    times['stream'].append(trainer.seconds_of_a_step(stream))
    del stream  # which ends its reading ahead
  # The first turn compiles.
  medians = {name: statistics.median(x[1:]) for name, x in times.items()}
  # Of each turn: what slows the machine meanwhile slows both.
  ratios = [s / m for s, m in zip(times['stream'][1:], times['memory'][1:])]
  overhead = statistics.median(ratios) - 1
  return {'seconds': medians, 'all': times, 'overhead': overhead}


class _Trainer:
  """Steps of `train.fit`'s loop, without checkpoints and logs."""

  def __init__(self, size: sizes.Size, precision: str):
    self._step, self._state, self._tables = contenders.trainer(
      size, precision=precision
    )

  def seconds_of_a_step(self, batches: Iterator[dict]) -> float:
    """Mean of a turn's steps, from the first batch's arrival on."""
    self._take_all(batches, 1)
    return measuring.seconds(lambda: self._take_all(batches, _STEPS)) / _STEPS

  def _take_all(self, batches: Iterator[dict], count: int) -> None:
    # As the trainer on a CPU: a batch is read while the step before it runs.
    from nph_jax import train

    pending = None
    for batch in itertools.islice(batches, count):
      chunk = train.split_batches([batch])
      if pending is not None:
        float(pending['loss'][0])
      self._state, pending = self._step(self._state, self._tables, None, chunk)
    float(pending['loss'][0])
