"""Results of an unfinished extraction: two files that only grow.

`rows.f16` holds the features [M, L] of one video after the other and
`records.jsonl` one line a video, good or bad; a line counts once it ends in a
newline, and its row was on the disk before it. So whatever kills a run, the
lines that are there are true.
"""

from __future__ import annotations

import contextlib
import json
import os
import pathlib
import shutil
from collections.abc import Mapping, Sequence
from typing import Any, BinaryIO

import numpy as np

from nph_jax import atomic, errors

# The key of the reason in the record of a video that was skipped.
ERROR = 'error'
_ROWS, _RECORDS = 'rows.f16', 'records.jsonl'


class Partial:
  """The folder of an unfinished extraction; a context manager.

  Attributes:
    records: one dictionary for each video done, in order.
  """

  def __init__(
    self,
    folder: pathlib.Path,
    stamp: Mapping[str, Any],
    row_shape: tuple[int, int],
    group: int,
  ):
    """Opens the folder, or makes it.

    Args:
      folder: of the store.
      stamp: all that the results depend on.
      row_shape: (M, L).
      group: how many videos go through the network together; what there is of
        an interrupted group is dropped.

    Raises:
      UserError: another process writes there, the folder was begun with
        another stamp, or it is damaged.
    """
    self._folder, self._stamp, self._row_shape = folder, stamp, row_shape
    self._stamp_path = folder / 'flags.json'
    folder.mkdir(parents=True, exist_ok=True)
    with contextlib.ExitStack() as stack:
      stack.callback(os.close, _lock(folder))
      self._check_stamp()
      self._rows, self._lines = (
        stack.enter_context(open(folder / name, 'ab+', buffering=0))
        for name in (_ROWS, _RECORDS)
      )
      self.records = self._recover(group)
      self._closing = stack.pop_all()

  def __enter__(self) -> Partial:
    return self

  def __exit__(self, *_: object) -> None:
    # A run that failed before its first result leaves nothing behind.
    if not self._stamp_path.exists():
      remove(self._folder)
    self._closing.close()

  @property
  def num_rows(self) -> int:
    """The videos that have features."""
    return sum(ERROR not in record for record in self.records)

  @property
  def _row_bytes(self) -> int:
    return 2 * self._row_shape[0] * self._row_shape[1]

  def append(
    self, records: Sequence[Mapping[str, Any]], rows: np.ndarray
  ) -> None:
    """Adds one group; it is on the disk when this returns.

    Args:
      records: of each of its videos, JSON.
      rows: float16 [those without ERROR, M, L].
    """
    if not self._stamp_path.exists():
      atomic.write_json(self._stamp_path, self._stamp)
    _write(self._rows, np.ascontiguousarray(rows).tobytes())
    lines = ''.join(json.dumps(record) + '\n' for record in records)
    _write(self._lines, lines.encode())
    self.records += records

  def rows(self) -> np.ndarray:
    """All features, float16 [num_rows, M, L], mapped from the disk."""
    shape = (self.num_rows, *self._row_shape)
    return np.memmap(self._folder / _ROWS, np.float16, 'r', shape=shape)

  def _check_stamp(self) -> None:
    if self._stamp_path.exists():
      old = read_record(self._stamp_path.read_bytes())
      if old is None:
        raise self._damaged(f'{self._stamp_path.name} is damaged')
      check_stamp(str(self._folder), old, self._stamp)

  def _recover(self, group: int) -> list[dict[str, Any]]:
    """Drops what was half written, or half of a group."""
    self._lines.seek(0)
    lines = [x for x in self._lines.readlines() if x.endswith(b'\n')]
    lines = lines[: len(lines) // group * group]
    records = [read_record(line) for line in lines]
    if None in records:
      number = records.index(None) + 1
      raise self._damaged(f'line {number} of {_RECORDS} is damaged')
    self._lines.truncate(sum(map(len, lines)))
    num_rows = sum(ERROR not in record for record in records)
    if self._rows.seek(0, os.SEEK_END) < num_rows * self._row_bytes:
      raise self._damaged(f'{_ROWS} was shortened')
    self._rows.truncate(num_rows * self._row_bytes)
    return records

  def _damaged(self, what: str) -> errors.UserError:
    return errors.UserError(
      f'{self._folder}: {what}; delete the folder to begin anew.'
    )


def read_record(line: bytes) -> dict[str, Any] | None:
  """The JSON object in `line`, None where there is no such thing."""
  try:
    record = json.loads(line)
  except (ValueError, RecursionError):
    return None
  return record if isinstance(record, dict) else None


def check_stamp(
  place: str, old: Mapping[str, Any], new: Mapping[str, Any]
) -> None:
  """Raises a UserError that names the first difference of two stamps."""
  for name in new:
    if old.get(name) == new[name]:
      continue
    what = (
      f'--{name} was {old.get(name)} and is {new[name]} now'
      if isinstance(new[name], (str, int))
      else f'the {name} are other files now, or changed since'
    )
    raise errors.UserError(
      f'{place}: was begun with other flags or files: {what}; undo that, give '
      'another --out, or delete it to begin anew.'
    )


def remove(folder: pathlib.Path) -> None:
  """Deletes a store, if there is one, so that no moment leaves half of one."""
  if folder.exists():
    (folder / _RECORDS).unlink(missing_ok=True)
    shutil.rmtree(folder)


def _lock(folder: pathlib.Path) -> int:
  """Holds the folder until closed."""
  lock = atomic.lock(folder / 'lock')
  if lock is None:
    raise errors.UserError(
      f'{folder}: another process is writing this extraction; wait for it, or '
      'give another --out.'
    )
  return lock


def _write(file: BinaryIO, content: bytes) -> None:
  # An unbuffered file may take less than it is given, where the disk is full.
  view = memoryview(content)
  while view:
    view = view[file.write(view) :]
  os.fsync(file.fileno())
