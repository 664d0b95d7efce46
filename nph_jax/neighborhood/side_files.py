"""The field's neighbourhood files, as BTH and its successors publish them.

  anchors.h5        feats  (C, D) float32  K-means centres
  train_assit.h5    pos    (N, A) int64    nearest anchors, nearest first (sic)
  latent_feats.h5   feats  (N, D) float32  the videos' features y

HDF5 is written through a Python file: on a full disk the library's own driver
brings the process down, a file object raises an OSError that can be told.
"""

from __future__ import annotations

import os
import pathlib
from collections.abc import Iterable

import h5py
import numpy as np

from nph_jax import atomic, errors

_Path = str | os.PathLike[str]


def _read(path: _Path, key: str, kinds: str, expected: str) -> np.ndarray:
  """Returns the matrix under `key`, its dtype.kind in `kinds`."""
  path = pathlib.Path(path)
  if not path.is_file():
    raise errors.UserError(
      f'{path}: there is no such file; expected HDF5 with {expected} under the '
      f"key '{key}'; check the path."
    )
  try:
    with h5py.File(path) as file:
      found = file.get(key)
      if not isinstance(found, h5py.Dataset):
        keys = ', '.join(file) or 'none'
        raise errors.UserError(
          f"{path}: the key '{key}' is missing (keys found: {keys}); expected "
          f'{expected} under it.'
        )
      if found.ndim != 2 or 0 in found.shape or found.dtype.kind not in kinds:
        raise errors.UserError(
          f"{path}: '{key}' is {found.dtype} of shape {found.shape}; expected "
          f'{expected}.'
        )
      return found[:]
  except OSError as error:
    raise errors.UserError(
      f'{path}: not a readable HDF5 file, perhaps truncated ({error}); make or '
      'copy it again.'
    ) from error


def _check_finite(path: _Path, values: np.ndarray, row: int, what: str) -> None:
  """Raises a UserError that names the first bad row, counted from `row`."""
  bad = np.flatnonzero(~np.isfinite(values).all(axis=1))
  if bad.size:
    raise errors.UserError(
      f'{path}: {what} {row + int(bad[0])} has NaN or infinite values; make '
      'the file again from sound features.'
    )


def read_anchors(path: _Path) -> np.ndarray:
  """Returns the anchors (C, D) float32 of an `anchors.h5`.

  Raises:
    UserError: file or key missing, wrong rank or type, NaN or infinity.
  """
  anchors = _read(path, 'feats', 'f', 'a float matrix (anchors, width)')
  _check_finite(path, anchors, 0, 'anchor')
  return anchors.astype(np.float32)


def read_anchor_indices(path: _Path, num_anchors: int) -> np.ndarray:
  """Returns the nearest anchors (N, A) int32 of a `train_assit.h5`.

  Args:
    path: the file.
    num_anchors: C; every index must lie in 0..C-1.

  Raises:
    UserError: file or key missing, wrong rank or type, an index out of range.
  """
  indices = _read(path, 'pos', 'iu', 'an integer matrix (videos, nearest)')
  bad = np.flatnonzero(((indices < 0) | (indices >= num_anchors)).any(axis=1))
  if bad.size:
    raise errors.UserError(
      f'{path}: video {bad[0]} has the anchors {indices[bad[0]].tolist()}, but '
      f'there are {num_anchors} (0 to {num_anchors - 1}); use the anchors and '
      'indices of one and the same run.'
    )
  return indices.astype(np.int32)


def _write(path: _Path, key: str, values: np.ndarray) -> None:
  """Writes one matrix atomically."""
  with atomic.replacing(path) as temporary:
    with open(temporary, 'w+b') as raw, h5py.File(raw, 'w') as file:
      file.create_dataset(key, data=values)


def write_anchors(path: _Path, anchors: np.ndarray) -> None:
  """Writes the anchors (C, D); UserError if the disk is full."""
  _write(path, 'feats', np.asarray(anchors, np.float32))


def write_anchor_indices(path: _Path, anchor_indices: np.ndarray) -> None:
  """Writes the nearest anchors (N, A); UserError if the disk is full."""
  _write(path, 'pos', np.asarray(anchor_indices, np.int64))


def write_latent_features(
  path: _Path, blocks: Iterable[np.ndarray], num_videos: int
) -> None:
  """Writes y as it comes: one block of rows in memory, the file atomic.

  Args:
    path: the file.
    blocks: arrays (any number of rows, D), in video order.
    num_videos: N, the sum of their rows.

  Raises:
    UserError: NaN or infinity (the video is named), or a full disk.
    ValueError: the blocks do not add up to `num_videos` rows.
  """
  with atomic.replacing(path) as temporary:
    with open(temporary, 'w+b') as raw, h5py.File(raw, 'w') as file:
      row = 0
      for block in blocks:
        block = np.asarray(block, np.float32)
        _check_finite(path, block, row, 'video')
        feats = file.require_dataset(
          'feats', (num_videos, block.shape[1]), 'f4'
        )
        if row + len(block) > num_videos:
          raise ValueError(f'more than {num_videos} rows were given')
        feats[row : row + len(block)] = block
        row += len(block)
      if row != num_videos:
        raise ValueError(f'{row} rows were given, expected {num_videos}')
