"""The field's files: features, labels, and a manifest that names the rows.

All are named after the features: `features.h5` has `features.manifest.jsonl`,
`features.skipped.jsonl` where videos were, and with labels
`features_labels.mat` and `features_labels.json`. The features know their videos
themselves, so that all others can be made anew.
"""

from __future__ import annotations

import io
import json
import pathlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

import h5py
import numpy as np

from nph_jax import atomic, errors
from nph_jax.data import blocks
from nph_jax.extraction import extracting, files

_ATTRIBUTE, _ENTRIES = 'extraction', 'videos'
# Of a .mat file's header, which else holds the date: equal labels shall be
# equal files.
_MAT_TEXT = b'MATLAB 5.0 MAT-file'.ljust(116)


class Entry(NamedTuple):
  """What the features know of a video.

  Attributes:
    name: path below the folder of all videos.
    stamp: as of files.Video.
    record: of extracting.extract.
  """

  name: str
  stamp: tuple[int, int]
  record: dict[str, Any]

  @property
  def is_bad(self) -> bool:
    return extracting.ERROR in self.record


class Finished(NamedTuple):
  """What is in the features of an earlier run.

  Attributes:
    stamp: what the features depend on.
    entries: the videos of the rows in order, then the bad ones.
    shape: (N, M, L).
  """

  stamp: dict[str, Any]
  entries: list[Entry]
  shape: tuple[int, ...]


def beside(out: pathlib.Path, ending: str) -> pathlib.Path:
  """The file `ending` of the extraction to `out`."""
  return out.with_name(out.stem + ending)


def sharded(out: pathlib.Path, number: int, total: int) -> pathlib.Path:
  """The name of one shard: features.h5 becomes features-0-of-4.h5."""
  return out.with_name(f'{out.stem}-{number}-of-{total}{out.suffix}')


def read(out: pathlib.Path) -> Finished | None:
  """What `write` wrote to `out`; None if that is not there.

  Raises:
    UserError: `out` is something else.
  """
  if not out.exists():
    return None
  try:
    with h5py.File(out, 'r') as file:
      stamp = dict(json.loads(file.attrs[_ATTRIBUTE]))
      entries = [_entry(line) for line in file[_ENTRIES]]
      shape = file[blocks.KEY].shape
  except (OSError, KeyError, TypeError, ValueError, RecursionError) as error:
    raise _foreign(out) from error
  if sum(not entry.is_bad for entry in entries) != shape[0]:
    raise _foreign(out)
  return Finished(stamp, entries, shape)


def _entry(line: bytes) -> Entry:
  name, (size, time), record = json.loads(line)
  return Entry(name, (size, time), dict(record))


def _foreign(out: pathlib.Path) -> errors.UserError:
  return errors.UserError(
    f'{out}: is there already, and no extraction of this version wrote it; '
    'move it away, or give another --out.'
  )


def write(
  out: pathlib.Path,
  finished: Finished,
  frames: Iterable[np.ndarray],
  labels: Sequence[str],
  label_names: list[str] | None,
) -> None:
  """Writes all files that are not yet so; the features last.

  Args:
    out: the features.
    finished: what is to be in them.
    frames: blocks float16 [n, M, L] of the rows, read if `out` is not so.
    labels: of each row.
    label_names: the columns; None where labels are not wanted.

  Raises:
    UserError: the disk is full.
  """
  good = [x for x in finished.entries if not x.is_bad]
  bad = [x for x in finished.entries if x.is_bad]
  shown = labels if label_names is not None else [None] * len(good)
  _write_lines(beside(out, blocks.MANIFEST_SUFFIX), _manifest(good, shown))
  _write_lines(
    beside(out, '.skipped.jsonl'), ({'path': x.name, **x.record} for x in bad)
  )
  mat, names = (beside(out, x) for x in ('_labels.mat', '_labels.json'))
  if label_names is None:
    _write(mat, b'')
    _write(names, b'')
  else:
    _write(mat, _mat(files.multi_hot(labels, label_names)))
    _write(names, (json.dumps(label_names, indent=2) + '\n').encode())
  if read(out) != finished:
    _write_features(out, finished, frames)


def _manifest(
  entries: Sequence[Entry], labels: Sequence[str | None]
) -> Iterator[dict[str, Any]]:
  for entry, label in zip(entries, labels):
    own = [] if label is None else [label]
    yield {'path': entry.name, **entry.record, 'labels': own}


def _write_lines(
  path: pathlib.Path, records: Iterable[Mapping[str, Any]]
) -> None:
  _write(path, ''.join(json.dumps(x) + '\n' for x in records).encode())


def _write(path: pathlib.Path, content: bytes) -> None:
  """Has a file be so; an empty one is none. Equal ones keep their time."""
  if not content:
    path.unlink(missing_ok=True)
  elif not path.is_file() or path.read_bytes() != content:
    atomic.write_bytes(path, content)


def _mat(labels: np.ndarray) -> bytes:
  import scipy.io

  buffer = io.BytesIO()
  scipy.io.savemat(buffer, {'labels': labels}, do_compression=True)
  return _MAT_TEXT + buffer.getvalue()[len(_MAT_TEXT) :]


def _write_features(
  out: pathlib.Path, finished: Finished, frames: Iterable[np.ndarray]
) -> None:
  with atomic.replacing(out) as temporary, h5py.File(temporary, 'w') as file:
    features = file.create_dataset(blocks.KEY, finished.shape, np.float16)
    start = 0
    for block in frames:
      features[start : start + len(block)] = block
      start += len(block)
    file.create_dataset(
      _ENTRIES,
      data=[json.dumps(entry) for entry in finished.entries],
      dtype=h5py.string_dtype(),
    )
    file.attrs[_ATTRIBUTE] = json.dumps(finished.stamp)
