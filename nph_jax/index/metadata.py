"""Metadata of videos from files: manifests, and labels with their names."""

from __future__ import annotations

import itertools
import json
import os
import pathlib
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from nph_jax import errors
from nph_jax.data import blocks, labels


class Metadata:
  """Metadata of videos in file order, from manifests and label files.

  Attributes:
    files: paths by flag.
  """

  def __init__(
    self,
    manifests: Sequence[str] = (),
    label_files: Sequence[str] = (),
    label_names: str | None = None,
  ):
    """Counts the manifests' lines and reads the labels.

    Args:
      manifests: JSON lines, one object for each video.
      label_files: multi-hot, `.mat` or `.npy`.
      label_names: JSON list of the labels' names; their numbers if None.

    Raises:
      UserError: a file is missing or damaged.
    """
    self._manifests = tuple(manifests)
    self._counts = [_count_lines(path) for path in self._manifests]
    self._labels, self._names = None, []
    if label_names is not None and not label_files:
      raise errors.UserError('--label_names: are those of --labels; give both.')
    if label_files:
      self._labels = labels.read_labels(label_files)
      self._names = _label_names(label_names, self._labels.shape[1])
    self._what = ','.join((*self._manifests, *label_files))
    files = {
      'manifest': self._manifests,
      'labels': label_files,
      'label_names': [label_names] if label_names else [],
    }
    self.files = {flag: files[flag] for flag in files if files[flag]}

  def check(self, num_videos: int) -> None:
    """Raises a UserError unless there is one for each video."""
    counts = {sum(self._counts)} if self._manifests else set()
    counts |= set() if self._labels is None else {len(self._labels)}
    if wrong := counts - {num_videos}:
      raise errors.UserError(
        f'{self._what}: of {min(wrong)} videos, but there are {num_videos}; '
        'give the files that belong to each other.'
      )

  def rows(self, start: int) -> Iterator[dict[str, Any]] | None:
    """Metadata from video `start` on, None where there is none at all."""
    if not self._manifests and self._labels is None:
      return None
    return itertools.islice(self._all_rows(), start, None)

  def place(self, number: int) -> str:
    """Where the metadata of a video stands: a manifest's line, from 1."""
    for path, count in zip(self._manifests, self._counts):
      if number < count:
        return f'{path}: line {number + 1}'
      number -= count
    return f'{self._what}: video {number}'

  def _all_rows(self) -> Iterator[dict[str, Any]]:
    if not self._manifests:
      yield from ({'labels': self._labels_of(row)} for row in self._labels)
      return
    for number, row in enumerate(read_manifests(self._manifests)):
      if self._labels is None:
        yield row
      else:
        yield {**row, 'labels': self._labels_of(self._labels[number])}

  def _labels_of(self, row: np.ndarray) -> list[str]:
    return [self._names[column] for column in np.flatnonzero(row)]


def manifests_beside(features: Sequence[str]) -> list[str]:
  """The manifests that `python -m nph_jax.extract` wrote, if all are there."""
  paths = [
    str(pathlib.Path(path).with_suffix(blocks.MANIFEST_SUFFIX))
    for path in features
  ]
  return paths if all(map(os.path.isfile, paths)) else []


def read_manifests(paths: Sequence[str]) -> Iterator[dict[str, Any]]:
  """The objects of all lines, in order; UserError at a line that is none."""
  for path in paths:
    with open(path, encoding='utf-8', errors='replace') as file:
      for number, line in enumerate(file, 1):
        try:
          value = json.loads(line)
        except (ValueError, RecursionError):
          value = None
        if not isinstance(value, dict):
          raise errors.UserError(
            f'{path}: line {number} is no JSON object; expected one for each '
            'video.'
          )
        yield value


def _count_lines(path: str) -> int:
  try:
    with open(path, 'rb') as file:
      return sum(1 for _ in file)
  except OSError as error:
    raise errors.UserError(
      f'{path}: cannot be read ({error.strerror}); expected a manifest, one '
      'JSON object for each video.'
    ) from error


def _label_names(path: str | None, count: int) -> list[str]:
  if path is None:
    return [str(number) for number in range(count)]
  names = labels.read_names(path)
  if len(names) != count:
    raise errors.UserError(
      f'{path}: has {len(names)} names, but there are {count} labels.'
    )
  return names
