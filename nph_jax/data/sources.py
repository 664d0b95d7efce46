"""The check of all a data set's sources, before any work starts.

No tensorflow here: a missing file is reported within a second.
"""

from __future__ import annotations

import os
from collections.abc import Sequence

import numpy as np
from absl import logging

from nph_jax import errors
from nph_jax.data import blocks, labels, moving_digits
from nph_jax.data.spec import NAMES, SPLITS, DataShape, DataSpec, SplitFiles

__all__ = ['NAMES', 'SPLITS', 'DataShape', 'DataSpec', 'SplitFiles', 'check']

MIN_TRAIN_VIDEOS = 10


def _check_set(spec: DataSpec) -> None:
  # The method is unsupervised: of the training videos, nothing reads labels.
  unset = [
    f'--config.data.{name}.{kind}=PATH'
    for name in SPLITS
    for kind in ('features', 'labels')
    if not getattr(spec.split(name), kind)
    and (kind == 'features' or spec.split(name) != spec.train)
  ]
  if unset:
    raise errors.UserError(
      f'{spec.name}: not set: {", ".join(unset)}; name the files with these '
      'flags (.h5 with the key `feats` or .npy, labels .mat or .npy; training '
      'labels are optional, and so are query and database together).'
    )


def _check_present(spec: DataSpec) -> None:
  splits = [spec.split(name) for name in SPLITS]
  paths = [path for split in splits for path in split.features + split.labels]
  expected = list(dict.fromkeys(paths))
  missing = [path for path in expected if not os.path.isfile(path)]
  if not missing:
    return
  if missing == expected:
    problem = f'none of the files the config expects is there: {_list(missing)}'
  else:
    problem = f'no such file: {_list(missing)}; expected: {_list(expected)}'
  published = f'; published: {spec.published}' if spec.published else ''
  raise errors.UserError(
    f'{spec.name}: {problem}{published.rstrip(".")}; put the files there or '
    'say where they are with --config.data.source_dir=DIR.'
  )


def _list(paths: Sequence[str]) -> str:
  return ', '.join(paths)


def _same(path: str, what: str, value: int, expected: int, other: str) -> None:
  if value != expected:
    raise errors.UserError(
      f'{path}: {what} {value}, but {other} {expected}; use files that agree.'
    )


def _check_features(
  spec: DataSpec,
) -> tuple[dict[str, tuple[int, ...]], dict[str, tuple[int, int]]]:
  """Returns the lengths of every split's shards, and their frames and width."""
  lengths: dict[str, tuple[int, ...]] = {}
  shapes: dict[str, tuple[int, int]] = {}
  for name in SPLITS:
    with blocks.FeatureFiles(spec.split(name).features) as files:
      lengths[name], shapes[name] = files.lengths, files.shape[1:]
  first, what = spec.train.features[0], 'frame features of width'
  width = shapes['train'][1]
  wanted = spec.feature_dim or width
  _same(first, what, width, wanted, 'config.data.feature_dim is')
  for name in SPLITS[1:]:
    path = spec.split(name).features[0]
    _same(path, what, shapes[name][1], width, f'{first} has')
  for name in SPLITS:
    if not all(shapes[name]):
      path = spec.split(name).features[0]
      raise errors.UserError(f'{path}: no frames, or frames of width 0.')
  return lengths, shapes


def _check_frames(spec: DataSpec, found: dict[str, int]) -> int:
  """Returns M; unless the configuration says it, that of the queries."""
  frames = spec.num_frames or found['query']
  reason = f'{spec.query.features[0]} has'
  if spec.num_frames:
    reason = 'config.data.num_frames is'
  for name in SPLITS:
    _same(spec.split(name).features[0], 'frames', found[name], frames, reason)
  return frames


def _check_rows(
  files: SplitFiles, shards: Sequence[np.ndarray], lengths: tuple[int, ...]
) -> None:
  """Rows must match in all, and file by file where both have as many files."""
  rows = [len(shard) for shard in shards]
  if len(rows) == len(lengths):
    for path, row, length, features in zip(
      files.labels, rows, lengths, files.features
    ):
      _same(path, 'label rows:', row, length, f'videos in {features}:')
  _same(
    ', '.join(files.labels),
    'label rows:',
    sum(rows),
    sum(lengths),
    f'videos in {", ".join(files.features)}:',
  )


def _check_labels(spec: DataSpec, lengths: dict[str, tuple[int, ...]]) -> int:
  """Returns the label width, the same in all splits."""
  width, first = spec.num_labels, 'config.data.num_labels is'
  for name in SPLITS:
    files = spec.split(name)
    if not files.labels:
      continue
    shards = labels.read_shards(files.labels)
    _check_rows(files, shards, lengths[name])
    found = shards[0].shape[1]
    if not width:
      width, first = found, f'{files.labels[0]} has'
    _same(files.labels[0], 'label columns:', found, width, first)
  return width


def _check_counts(spec: DataSpec, num_videos: dict[str, int]) -> None:
  for name in SPLITS:
    where = ', '.join(spec.split(name).features) or 'moving_digits'
    published = spec.split(name).num_videos
    if not num_videos[name]:
      raise errors.UserError(
        f'{where}: the {name} split is empty; expected at least one video.'
      )
    if published and published != num_videos[name]:
      logging.warning(
        '%s: %d videos, the published %s split of %s has %d',
        where,
        num_videos[name],
        name,
        spec.name,
        published,
      )
  if num_videos['train'] < MIN_TRAIN_VIDEOS:
    where = ', '.join(spec.train.features) or 'moving_digits'
    raise errors.UserError(
      f'{where}: {num_videos["train"]} training videos; expected at least '
      f'{MIN_TRAIN_VIDEOS}.'
    )


def _check_digits(spec: DataSpec) -> DataShape:
  canvas = spec.canvas or moving_digits.CANVAS
  if canvas <= moving_digits.DIGIT:
    raise errors.UserError(
      f'config.data.canvas={canvas}: digits are {moving_digits.DIGIT} pixels '
      f'wide and need room to move, so at least {moving_digits.DIGIT + 1}.'
    )
  for field, value, made in (
    ('feature_dim', spec.feature_dim, canvas**2),
    ('num_labels', spec.num_labels, moving_digits.NUM_LABELS),
  ):
    if value not in (0, made):
      raise errors.UserError(
        f'config.data.{field}={value}: moving_digits makes {made} at canvas '
        f'{canvas}; leave it at 0.'
      )
  frames = spec.num_frames or moving_digits.NUM_FRAMES
  num_videos = {name: spec.split(name).num_videos for name in SPLITS}
  return DataShape(frames, canvas**2, moving_digits.NUM_LABELS, num_videos)


def check(spec: DataSpec) -> DataShape:
  """Checks names, headers and labels of all splits; no feature value is read.

  Raises:
    UserError: what is missing, damaged or does not fit together.
  """
  if spec.name == 'moving_digits':
    shape = _check_digits(spec)
  else:
    _check_set(spec)
    _check_present(spec)
    lengths, shapes = _check_features(spec)
    frames = _check_frames(spec, {k: v[0] for k, v in shapes.items()})
    num_videos = {name: sum(lengths[name]) for name in SPLITS}
    num_labels = _check_labels(spec, lengths)
    shape = DataShape(frames, shapes['train'][1], num_labels, num_videos)
  _check_counts(spec, shape.num_videos)
  return shape
