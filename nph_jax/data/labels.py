"""Multi-hot labels from the field's `.mat` files or from `.npy`."""

from __future__ import annotations

import json
import os
import pathlib
from collections.abc import Sequence

import h5py
import numpy as np

from nph_jax import errors

# FCVID, YFCC, UCF101 and HMDB51 use the first; ActivityNet the other two.
KEYS = ('labels', 're_label', 'q_label')


def _pick_key(path: str, found: Sequence[str]) -> str:
  known = [key for key in KEYS if key in found]
  if len(known) == 1:
    return known[0]
  listed = ', '.join(sorted(found)) or 'none'
  problem = (
    f'more than one label key ({", ".join(known)})'
    if known
    else f'no label key (keys found: {listed})'
  )
  raise errors.UserError(
    f'{path}: {problem}; expected exactly one of {", ".join(KEYS)}.'
  )


def _load_hdf5_mat(path: str) -> np.ndarray:
  """Reads MATLAB's v7.3 format, whose axes lie in reverse order."""
  try:
    with h5py.File(path, 'r') as file:
      array = file[_pick_key(path, list(file))]
      if not isinstance(array, h5py.Dataset):
        raise errors.UserError(
          f'{path}: the labels are a sparse or nested v7.3 array; save them '
          'full, e.g. save(file, "labels", "-v7") after labels = full(labels).'
        )
      return array[()].T
  except OSError as error:
    raise errors.UserError(
      f'{path}: not a readable .mat file ({error}); copy or download it again.'
    ) from error


def _load_mat(path: str) -> np.ndarray:
  import scipy.io
  import scipy.sparse

  if h5py.is_hdf5(path):
    return _load_hdf5_mat(path)
  try:
    content = scipy.io.loadmat(path, spmatrix=False)
  # scipy documents no exception for a damaged file: it raises what its parts
  # do (zlib, struct, index, type and value errors).
  except Exception as error:
    raise errors.UserError(
      f'{path}: not a readable .mat file ({error}); copy or download it again.'
    ) from error
  names = [name for name in content if not name.startswith('__')]
  array = content[_pick_key(path, names)]
  return array.toarray() if scipy.sparse.issparse(array) else array


def _load_npy(path: str) -> np.ndarray:
  try:
    return np.asarray(np.load(path))
  except (ValueError, EOFError, OSError) as error:
    raise errors.UserError(
      f'{path}: not a readable .npy file ({error}); expected a multi-hot array '
      'of shape (videos, labels).'
    ) from error


def _load(path: str) -> np.ndarray:
  suffix = pathlib.Path(path).suffix.lower()
  if not os.path.isfile(path):
    raise errors.UserError(f'{path}: no such file; expected labels.')
  if suffix not in ('.mat', '.npy'):
    raise errors.UserError(
      f'{path}: labels are read from .mat or .npy files, not {suffix!r}.'
    )
  array = _load_mat(path) if suffix == '.mat' else _load_npy(path)
  if array.ndim != 2 or array.dtype.kind not in 'biuf':
    raise errors.UserError(
      f'{path}: labels of shape {array.shape} and type {array.dtype}; expected '
      'numbers of shape (videos, labels), multi-hot.'
    )
  if not np.isin(array, (0, 1)).all():
    raise errors.UserError(
      f'{path}: labels other than 0 and 1; expected a multi-hot array, one '
      'column for each label.'
    )
  if array.shape[1] == 1 and 0 < np.sum(array) < len(array):
    raise errors.UserError(
      f'{path}: one column of 0 and 1; expected a column for each label, so '
      'save two classes y as numpy.hstack([1 - y, y]).'
    )
  return array.astype(np.uint8)


def read_shards(paths: Sequence[str]) -> list[np.ndarray]:
  """Returns the labels of every file, (N_shard, labels) uint8 in {0, 1}.

  Raises:
    UserError: a file is missing, unreadable, holds no or several known keys,
      is not multi-hot, or its width differs from the first file's.
  """
  shards = [_load(path) for path in paths]
  for path, shard in zip(paths, shards):
    if shard.shape[1] != shards[0].shape[1]:
      raise errors.UserError(
        f'{path}: {shard.shape[1]} label columns, but {paths[0]} has '
        f'{shards[0].shape[1]}; the shards of a split must agree.'
      )
  return shards


def read_labels(paths: Sequence[str]) -> np.ndarray:
  """Returns the labels of all files in order, (N, labels) uint8 in {0, 1}.

  Raises:
    UserError: as read_shards.
  """
  return np.concatenate(read_shards(paths))


def read_names(path: str) -> list[str]:
  """Returns the names of the label columns, in order.

  Args:
    path: a JSON list.

  Raises:
    UserError: the file is missing, unreadable, or no list of names.
  """
  try:
    names = json.loads(pathlib.Path(path).read_text(encoding='utf-8'))
  except (OSError, ValueError, RecursionError) as error:
    raise errors.UserError(
      f'{path}: cannot be read ({error}); expected a JSON list of the names of '
      'the labels.'
    ) from error
  if not isinstance(names, list) or not all(isinstance(x, str) for x in names):
    raise errors.UserError(
      f'{path}: expected a JSON list of the names of the labels.'
    )
  return names
