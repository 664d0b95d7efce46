"""Random access to TFRecord shards: an index of offsets, then reads by it.

A record is its length (8 bytes, little endian), a checksum of that (4), the
content, and a checksum of the content (4).
"""

from __future__ import annotations

import os
import struct
from collections.abc import Sequence

import numpy as np

from nph_jax import errors

_HEADER = 12
_FOOTER = 4


def _damaged(path: str) -> errors.UserError:
  return errors.UserError(
    f'{path}: the built data are damaged (records missing or cut off); delete '
    f'the folder {os.path.dirname(path)} and run the same command again.'
  )


def _scan(path: str, num_records: int) -> np.ndarray:
  """Returns (num_records, 2) int64: where each content starts, its bytes."""
  places = np.empty((num_records, 2), np.int64)
  end = 0
  try:
    with open(path, 'rb', buffering=0) as file:
      for place in places:
        header = os.pread(file.fileno(), 8, end)
        place[:] = end + _HEADER, struct.unpack('<Q', header)[0]
        end = int(place.sum()) + _FOOTER
      size = os.fstat(file.fileno()).st_size
  except (FileNotFoundError, struct.error, OverflowError) as error:
    raise _damaged(path) from error
  if end != size:
    raise _damaged(path)
  return places


class Records:
  """The records of a split, numbered from 0 across its shards.

  Holds no open file: safe to use from several threads.

  Raises:
    UserError: a shard is missing or does not hold the records it should.
  """

  def __init__(self, paths: Sequence[str], lengths: Sequence[int]):
    self._paths = tuple(paths)
    self._places = np.concatenate(
      [_scan(path, length) for path, length in zip(paths, lengths)]
    )
    self._shards = np.repeat(np.arange(len(lengths)), lengths)

  def __len__(self) -> int:
    return len(self._shards)

  def read(self, indices: Sequence[int] | np.ndarray) -> list[bytes]:
    """Returns the contents of records `indices`, in that order."""
    contents = []
    for index in indices:
      start, size = (int(value) for value in self._places[index])
      path = self._paths[self._shards[index]]
      with open(path, 'rb', buffering=0) as file:
        content = os.pread(file.fileno(), size, start)
      if len(content) != size:
        raise _damaged(path)
      contents.append(content)
    return contents
