"""Frame features in bounded memory: many files read as one array, in blocks.

The field's layout (HDF5, key `feats`, (N, M, L), several shards) or `.npy`.
Everything leaves here as float16, the precision that is stored and encoded.
"""

from __future__ import annotations

import math
import os
import pathlib
from collections.abc import Iterator, Sequence
from typing import Any

import h5py
import numpy as np

from nph_jax import errors

KEY = 'feats'
# Of the file beside them that has a JSON object for each video.
MANIFEST_SUFFIX = '.manifest.jsonl'
_HDF5_SUFFIXES = ('.h5', '.hdf5')
# Of a file's decompressed chunks.
_MAX_CACHE_BYTES = 256 << 20
_HALF_MAX = float(np.finfo(np.float16).max)


def _open_hdf5(path: str) -> h5py.Dataset:
  try:
    file = h5py.File(path, 'r')
  except OSError as error:
    if 'truncated' in str(error):
      raise errors.UserError(
        f'{path}: the HDF5 file is truncated (shorter than its header says); '
        'copy or download it again.'
      ) from error
    raise errors.UserError(
      f'{path}: not a readable HDF5 file ({error}); expected HDF5 with the '
      f'key `{KEY}` of shape (videos, frames, width).'
    ) from error
  if not isinstance(file.get(KEY), h5py.Dataset):
    found = ', '.join(sorted(file)) or 'none'
    file.close()
    raise errors.UserError(
      f'{path}: the key `{KEY}` is missing (keys found: {found}); expected an '
      'array of shape (videos, frames, width) under it.'
    )
  if 'MATLAB_class' in file[KEY].attrs:
    shape = file[KEY].shape
    file.close()
    raise errors.UserError(
      f'{path}: MATLAB saved it, so its axes lie in reverse here, {shape}; '
      "write permute(feats, [3 2 1]) with h5create and h5write, '/feats'."
    )
  return _cached(file)


def _cached(file: h5py.File) -> h5py.Dataset:
  """The features, each chunk of which is decompressed once in a pass."""
  array = file[KEY]
  if array.chunks is None:
    return array
  sizes = zip(array.shape[1:], array.chunks[1:])
  number = 1 + math.prod(-(-size // chunk) for size, chunk in sizes)
  needed = number * math.prod(array.chunks) * array.dtype.itemsize
  # While it is open, HDF5 would keep its smaller cache.
  del array
  access = h5py.h5p.create(h5py.h5p.DATASET_ACCESS)
  # A hundred slots to a chunk, as HDF5 advises; whole chunks go first.
  bounded = min(max(needed, 1 << 20), _MAX_CACHE_BYTES)
  access.set_chunk_cache(100 * number + 1, bounded, 1.0)
  return h5py.Dataset(h5py.h5d.open(file.id, KEY.encode(), access))


def _open_npy(path: str) -> np.ndarray:
  try:
    array = np.load(path, mmap_mode='r')
  except (ValueError, EOFError, OSError) as error:
    raise errors.UserError(
      f'{path}: not a readable .npy file ({error}); expected one array of '
      'shape (videos, frames, width).'
    ) from error
  if not isinstance(array, np.ndarray):
    raise errors.UserError(
      f'{path}: an archive of several arrays, not a .npy file; save the '
      'features alone with numpy.save.'
    )
  return array


def _open(path: str) -> h5py.Dataset | np.ndarray:
  """Opens one feature file after checking rank and dtype, values unread."""
  suffix = pathlib.Path(path).suffix.lower()
  if not os.path.isfile(path):
    raise errors.UserError(f'{path}: no such file; expected frame features.')
  if suffix not in (*_HDF5_SUFFIXES, '.npy'):
    raise errors.UserError(
      f'{path}: features are read from .h5 or .npy files, not {suffix!r}; '
      f'save them as HDF5 with the key `{KEY}`.'
    )
  array = _open_npy(path) if suffix == '.npy' else _open_hdf5(path)
  if len(array.shape) != 3:
    raise errors.UserError(
      f'{path}: features of shape {array.shape}; expected three axes '
      '(videos, frames, width).'
    )
  if array.dtype.kind != 'f':
    raise errors.UserError(
      f'{path}: features of type {array.dtype}; expected float16, float32 or '
      'float64, so convert them first.'
    )
  return array


def _bad_value(video: np.ndarray) -> str:
  if np.isnan(video).any():
    return 'NaN'
  if np.isinf(video).any():
    return 'infinity'
  return f'{np.abs(video).max():g}, beyond float16 (at most {_HALF_MAX:g})'


def _to_half(values: np.ndarray, path: str, start: int) -> np.ndarray:
  """Rounds (B, M, L) to float16; every value must be finite afterwards."""
  with np.errstate(over='ignore'):
    half = values.astype(np.float16)
  # The largest bit pattern without its sign: float16's own isfinite is slow.
  largest = (half.view(np.uint16) & 0x7FFF).max(axis=(1, 2), initial=0)
  bad = np.flatnonzero(largest >= 0x7C00)
  if bad.size:
    raise errors.UserError(
      f'{path}: video {start + bad[0]} (counting from 0) contains '
      f'{_bad_value(values[bad[0]])}; features must be finite, so extract '
      'that video again or leave it out.'
    )
  return half


class FeatureFiles:
  """The feature files of one split as one array (N, M, L); a context manager.

  Opening reads headers only.

  Raises:
    UserError: a file is missing, unreadable, of another rank or dtype, or its
      frames or width differ from those of the first file.
  """

  def __init__(self, paths: Sequence[str]):
    self.paths = tuple(paths)
    self._arrays: list[h5py.Dataset | np.ndarray] = []
    try:
      for path in self.paths:
        self._arrays.append(_open(path))
        self._check_frames(path)
    except errors.UserError:
      self.close()
      raise
    self.lengths = tuple(len(array) for array in self._arrays)
    self.shape = (sum(self.lengths), *self._arrays[0].shape[1:])

  def _check_frames(self, path: str) -> None:
    first, last = self._arrays[0].shape[1:], self._arrays[-1].shape[1:]
    if first != last:
      raise errors.UserError(
        f'{path}: {last[0]} frames of width {last[1]}, but {self.paths[0]} has '
        f'{first[0]} of width {first[1]}; the shards of a split must agree.'
      )

  def __enter__(self) -> FeatureFiles:
    return self

  def __exit__(self, *_: object) -> None:
    self.close()

  def close(self) -> None:
    """Closes the files; nothing can be read any more."""
    for array in self._arrays:
      if isinstance(array, h5py.Dataset):
        array.file.close()
    self._arrays = []

  def check_read_by(self, hasher: Any) -> None:
    """Raises a UserError unless an export.Hasher reads such frames."""
    if self.shape[1:] != (hasher.num_frames, hasher.feature_dim):
      raise errors.UserError(
        f'{self.paths[0]}: {self.shape[1]} frames of width {self.shape[2]}, '
        f'but the bundle reads {hasher.num_frames} of width '
        f'{hasher.feature_dim}; use features extracted the way those it was '
        'trained on were.'
      )

  def _read_file(self, number: int, start: int, stop: int) -> np.ndarray:
    path = self.paths[number]
    try:
      values = np.asarray(self._arrays[number][start:stop])
    except OSError as error:
      raise errors.UserError(
        f'{path}: videos {start} to {stop - 1} cannot be read ({error}); the '
        'file is damaged or truncated, so copy or download it again.'
      ) from error
    return _to_half(values, path, start)

  def read(self, start: int, stop: int) -> np.ndarray:
    """Returns videos start..stop-1 of the split, (stop - start, M, L) float16.

    Raises:
      UserError: NaN, infinity, a value beyond float16 (names file and video),
        or data that cannot be read.
    """
    parts, first = [], 0
    for number, length in enumerate(self.lengths):
      low, high = max(start - first, 0), min(stop - first, length)
      if low < high:
        parts.append(self._read_file(number, low, high))
      first += length
    return parts[0] if len(parts) == 1 else np.concatenate(parts)


def iterate_blocks(
  paths: Sequence[str], block_size: int
) -> Iterator[np.ndarray]:
  """Yields the videos of `paths` in order, (B, M, L) float16, B <= block_size.

  Blocks cross shard boundaries, so only the last one may be short.

  Raises:
    UserError: as FeatureFiles and FeatureFiles.read.
  """
  with FeatureFiles(paths) as files:
    for start in range(0, files.shape[0], block_size):
      yield files.read(start, min(start + block_size, files.shape[0]))
