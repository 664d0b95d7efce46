"""The field's files: features, labels, and a manifest that names the rows.

All are named after the features: `features.h5` has `features.manifest.jsonl`,
`features.skipped.jsonl` where videos were, and with labels
`features_labels.mat` and `features_labels.json`.
"""

from __future__ import annotations

import io
import itertools
import json
import pathlib
from collections.abc import Iterable, Mapping
from typing import Any

import h5py
import numpy as np

from nph_jax import atomic, errors
from nph_jax.data import blocks
from nph_jax.extraction import files, store

_ATTRIBUTE = 'extraction'
_BLOCK_BYTES = 64 << 20
# Of a .mat file's header, which else holds the date: equal labels shall be
# equal files.
_MAT_TEXT = b'MATLAB 5.0 MAT-file'.ljust(116)


def beside(out: pathlib.Path, ending: str) -> pathlib.Path:
  """The file `ending` of the extraction to `out`."""
  return out.with_name(out.stem + ending)


def sharded(out: pathlib.Path, number: int, total: int) -> pathlib.Path:
  """The name of one shard: features.h5 becomes features-0-of-4.h5."""
  return out.with_name(f'{out.stem}-{number}-of-{total}{out.suffix}')


def write(
  out: pathlib.Path,
  partial: store.Partial,
  stamp: Mapping[str, Any],
  label_names: list[str] | None,
) -> None:
  """Writes all files from a store that holds every video; the features last.

  Raises:
    UserError: the disk is full.
  """
  good = [record for record in partial.records if store.ERROR not in record]
  bad = [record for record in partial.records if store.ERROR in record]
  _write_lines(beside(out, blocks.MANIFEST_SUFFIX), good)
  if bad:
    _write_lines(beside(out, '.skipped.jsonl'), bad)
  else:
    beside(out, '.skipped.jsonl').unlink(missing_ok=True)
  if label_names is not None:
    labels = files.multi_hot([record['labels'] for record in good], label_names)
    _write_mat(beside(out, '_labels.mat'), labels)
    atomic.write_json(beside(out, '_labels.json'), label_names)
  _write_features(out, partial, stamp)


def finished_stamp(out: pathlib.Path) -> dict[str, Any] | None:
  """The stamp `write` was given for `out`; None if that is not there.

  Raises:
    UserError: `out` is something else.
  """
  if not out.exists():
    return None
  try:
    with h5py.File(out, 'r') as file:
      stamp = json.loads(file.attrs[_ATTRIBUTE])
  except (OSError, KeyError, TypeError, ValueError, RecursionError) as error:
    raise _foreign(out) from error
  if not isinstance(stamp, dict):
    raise _foreign(out)
  return stamp


def _foreign(out: pathlib.Path) -> errors.UserError:
  return errors.UserError(
    f'{out}: is there already, and no extraction wrote it; move it away, or '
    'give another --out.'
  )


def read_skipped(out: pathlib.Path) -> list[dict[str, Any]]:
  """The records of the videos that a finished extraction skipped.

  Raises:
    UserError: the file is damaged.
  """
  path = beside(out, '.skipped.jsonl')
  if not path.exists():
    return []
  lines = path.read_bytes().splitlines()
  records = [store.read_record(line) for line in lines]
  if not all(record and store.ERROR in record for record in records):
    raise _not_of(out, path)
  return records


def check_finished(out: pathlib.Path, num_videos: int, labels: bool) -> None:
  """Raises a UserError unless the files beside `out` are those of its rows.

  Args:
    out: the features.
    num_videos: that were not skipped.
    labels: whether there are files of them.
  """
  with blocks.FeatureFiles([str(out)]) as features:
    num_rows = features.shape[0]
  if num_rows != num_videos:
    raise _not_of(out, beside(out, '.skipped.jsonl'))
  manifest = beside(out, blocks.MANIFEST_SUFFIX)
  if not manifest.is_file() or _count_lines(manifest) != num_rows:
    raise _not_of(out, manifest)
  for ending in ('_labels.mat', '_labels.json') if labels else ():
    if not beside(out, ending).is_file():
      raise _not_of(out, beside(out, ending))


def _count_lines(path: pathlib.Path) -> int:
  with open(path, 'rb') as file:
    return sum(1 for _ in file)


def _not_of(out: pathlib.Path, path: pathlib.Path) -> errors.UserError:
  return errors.UserError(
    f'{path}: is missing, damaged or not of {out.name}, which is finished; put '
    f'it back, or delete {out.name} and give the same command to extract anew.'
  )


def _write_lines(
  path: pathlib.Path, records: Iterable[Mapping[str, Any]]
) -> None:
  atomic.write_text(path, ''.join(json.dumps(x) + '\n' for x in records))


def _write_mat(path: pathlib.Path, labels: np.ndarray) -> None:
  import scipy.io

  buffer = io.BytesIO()
  scipy.io.savemat(buffer, {'labels': labels}, do_compression=True)
  atomic.write_bytes(path, _MAT_TEXT + buffer.getvalue()[len(_MAT_TEXT) :])


def _write_features(
  out: pathlib.Path, partial: store.Partial, stamp: Mapping[str, Any]
) -> None:
  rows = partial.rows()
  with atomic.replacing(out) as temporary, h5py.File(temporary, 'w') as file:
    shape = (partial.num_rows, *partial.row_shape)
    features = file.create_dataset(blocks.KEY, shape, np.float16)
    step = max(_BLOCK_BYTES // features[:1].nbytes, 1)
    for start in range(0, len(features), step):
      block = np.stack(list(itertools.islice(rows, step)))
      features[start : start + len(block)] = block
    file.attrs[_ATTRIBUTE] = json.dumps(stamp)
