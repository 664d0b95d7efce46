"""What a data set is made of: its splits' files and its sizes."""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Mapping
from typing import Any

from nph_jax import errors

NAMES = (
  'fcvid',
  'activitynet',
  'yfcc',
  'ucf101',
  'hmdb51',
  'custom',
  'moving_digits',
)
SPLITS = ('train', 'query', 'database')


@dataclasses.dataclass(frozen=True)
class SplitFiles:
  """One split's files, shards in order; `num_videos` as published or made."""

  features: tuple[str, ...]
  labels: tuple[str, ...]
  num_videos: int


@dataclasses.dataclass(frozen=True)
class DataSpec:
  """One data set; a size of 0 means "as in the files"."""

  name: str
  train: SplitFiles
  query: SplitFiles
  database: SplitFiles
  num_frames: int
  feature_dim: int
  num_labels: int
  published: str
  canvas: int
  seed: int

  def split(self, name: str) -> SplitFiles:
    """Of 'train', 'query' or 'database'."""
    return getattr(self, name)

  @classmethod
  def from_config(cls, data: Mapping[str, Any], seed: int) -> DataSpec:
    """Makes a spec from `config.data`; paths start at `data['source_dir']`.

    Where a custom set names neither query nor database, the training videos are
    both: each is searched among the others, if they have labels.

    Raises:
      UserError: unknown data set name, or a negative number.
    """
    if data['name'] not in NAMES:
      raise errors.UserError(
        f'config.data.name={data["name"]!r} is unknown; expected one of '
        f'{", ".join(NAMES)}.'
      )
    sizes = {
      key: _natural(f'config.data.{key}', data[key])
      for key in ('num_frames', 'feature_dim', 'num_labels', 'canvas')
    }
    splits = {name: _split_files(data, name) for name in SPLITS}
    if data['name'] == 'custom' and not any(
      map(_is_set, list(splits.values())[1:])
    ):
      splits = dict.fromkeys(SPLITS, splits['train'])
    return cls(
      name=data['name'],
      published=data['published'],
      seed=_natural('config.seed', seed),
      **sizes,
      **splits,
    )


@dataclasses.dataclass(frozen=True)
class DataShape:
  """The sizes found: M, L, labels, and videos by split."""

  num_frames: int
  feature_dim: int
  num_labels: int
  num_videos: dict[str, int]


def _is_set(files: SplitFiles) -> bool:
  return bool(files.features or files.labels)


def _natural(field: str, value: int) -> int:
  if value < 0:
    raise errors.UserError(f'{field}={value} is negative; expected 0 or more.')
  return int(value)


def _split_files(data: Mapping[str, Any], name: str) -> SplitFiles:
  def paths(text: str) -> tuple[str, ...]:
    folder = os.path.expanduser(data['source_dir'])
    names = (os.path.expanduser(part.strip()) for part in text.split(','))
    return tuple(os.path.join(folder, name) for name in names if name)

  split = data[name]
  return SplitFiles(
    paths(split['features']),
    paths(split['labels']),
    _natural(f'config.data.{name}.num_videos', split['num_videos']),
  )
