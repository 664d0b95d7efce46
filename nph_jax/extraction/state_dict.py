"""PyTorch's state dictionaries without PyTorch: arrays by name, nothing else.

The format of torch.save before 1.6, as the published weights have it: pickles
of a magic number, the version, the machine, the tensors and the names of their
storages, then each storage as its length and its bytes.
"""

from __future__ import annotations

import collections
import pickle
from typing import Any, BinaryIO

import numpy as np

_MAGIC = 0x1950A86A20F9469CFC6C
_TYPES = {'FloatStorage': np.dtype('<f4'), 'LongStorage': np.dtype('<i8')}


def read(path: str) -> dict[str, np.ndarray]:
  """Returns every array of the file, float32 or int64.

  Raises:
    OSError: it cannot be read.
    ValueError: it is damaged, in another format, or holds anything else.
  """
  with open(path, 'rb') as file:
    try:
      magic, _, _ = (_Unpickler(file).load() for _ in range(3))
      tensors, keys = _Unpickler(file).load(), _Unpickler(file).load()
      if magic != _MAGIC:
        raise ValueError('another format')
      types = {key: dtype for (key, dtype), *_ in tensors.values()}
      storages = {key: _storage(file, types[key]) for key in keys}
      return {
        name: _array(storages[key], *place)
        for name, ((key, _), *place) in tensors.items()
      }
    # Pickle documents no exception for a damaged file.
    except Exception as error:
      raise ValueError(f'no state dictionary ({error})') from error


class _Unpickler(pickle.Unpickler):
  """Builds tensors as (storage, offset, shape, strides)."""

  def find_class(self, module: str, name: str) -> Any:
    if module == 'torch' and name in _TYPES:
      return _TYPES[name]
    allowed = {
      ('collections', 'OrderedDict'): collections.OrderedDict,
      ('torch._utils', '_rebuild_tensor_v2'): lambda *tensor: tensor[:4],
    }
    if (module, name) not in allowed:
      raise pickle.UnpicklingError(f'it names {module}.{name}')
    return allowed[module, name]

  def persistent_load(self, pid: Any) -> tuple[str, np.dtype]:
    _, dtype, key, *_ = pid
    return key, dtype


def _storage(file: BinaryIO, dtype: np.dtype) -> np.ndarray:
  length = int.from_bytes(file.read(8), 'little')
  content = file.read(length * dtype.itemsize)
  if len(content) != length * dtype.itemsize:
    raise ValueError('it is cut')
  return np.frombuffer(content, dtype)


def _array(
  storage: np.ndarray,
  offset: int,
  shape: tuple[int, ...],
  strides: tuple[int, ...],
) -> np.ndarray:
  end = offset + sum((n - 1) * step for n, step in zip(shape, strides))
  if min(offset, *shape, *strides, 0) < 0 or end >= len(storage):
    raise ValueError('a tensor lies outside of its storage')
  return np.lib.stride_tricks.as_strided(
    storage[offset:], shape, [step * storage.itemsize for step in strides]
  ).copy()
