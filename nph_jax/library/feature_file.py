"""A feature file that follows a folder of videos as a library does.

What is extracted goes into a store beside it, `features.partial`, and into the
file at the end, with what was there before: a row stays where it is while its
video is there. So a run that is cut goes on, whatever came since.
"""

from __future__ import annotations

import contextlib
import json
import pathlib
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import h5py
import numpy as np

from nph_jax import errors
from nph_jax.data import blocks
from nph_jax.extraction import backbones, files, output
from nph_jax.library import feature_rows, store
from nph_jax.library import report as report_lib

_BLOCK_BYTES = 64 << 20


def run(
  job: feature_rows.Job,
) -> tuple[report_lib.Report, tuple[int, ...], list[str]]:
  """Extracts what is new and writes the files of output.py.

  Returns:
    The report, (N, M, L), and the names of the labels, none without labels.

  Raises:
    UserError: bad flags or files, no weights, other flags than an earlier
      run's, or what that left is damaged.
  """
  files.check_folder(job.videos)
  old = output.read(job.out)
  width = backbones.feature_dim(job.options.backbone, job.options.weights)
  row_shape, stamp = (job.options.num_frames, width), _stamp(job)
  if old is not None:
    _check(job.out, old.stamp, stamp)
  with _store(output.beside(job.out, '.partial'), stamp, row_shape) as partial:
    rows, report, names = feature_rows.follow(job, old, partial)
    good = [row for row in rows if not row.entry.is_bad]
    shape = (len(good), *row_shape)
    if good:
      output.write(
        job.out,
        output.Finished(stamp, [row.entry for row in rows], shape),
        _frames(job.out, partial, good, shape),
        [files.label_of(row.path) for row in good],
        names,
      )
  return report, shape, names or []


def _stamp(job: feature_rows.Job) -> dict[str, Any]:
  """All that rows depend on, by the names of the flags."""
  weights = job.options.weights
  return {
    'backbone': job.options.backbone,
    'precision': job.options.precision,
    'num_frames': job.options.num_frames,
    'weights': weights and list(files.stamp(weights)),
    'shard': '{}/{}'.format(*job.shard),
  }


def _check(
  place: pathlib.Path, old: Mapping[str, Any], new: Mapping[str, Any]
) -> None:
  for name, value in new.items():
    if old.get(name) != value:
      what = f'--{name} was {old.get(name)} and is {value} now'
      if name == 'weights':
        what = 'the weights are another file now, or changed since'
      raise errors.UserError(
        f'{place}: was begun with other flags: {what}; undo that, give another '
        '--out, or delete it to begin anew.'
      )


@contextlib.contextmanager
def _store(
  path: pathlib.Path, stamp: Mapping[str, Any], row_shape: tuple[int, int]
) -> Iterator[store.Store]:
  """The store of a run; it stays where the run is cut and it has frames."""
  keep = True
  try:
    with store.Store(path.parent, alone=path.name) as partial:
      if begun := partial.settings.get('stamp'):
        _check(path, json.loads(begun), stamp)
      num_frames, width = row_shape
      partial.set(
        stamp=json.dumps(stamp), num_frames=num_frames, feature_dim=width
      )
      try:
        yield partial
        keep = False
      except BaseException:
        keep = any(not file.is_bad for file in partial.files())
        raise
  finally:
    if not keep:
      # The journal first: alone, it would be taken for a new file's.
      path.with_name(f'{path.name}-journal').unlink(missing_ok=True)
      path.unlink(missing_ok=True)


def _frames(
  out: pathlib.Path,
  partial: store.Store,
  rows: Sequence[feature_rows.Row],
  shape: tuple[int, ...],
) -> Iterator[np.ndarray]:
  """Yields the frames of the rows, blocks float16 [n, M, L]."""
  step = max(_BLOCK_BYTES // (2 * shape[1] * shape[2]), 1)
  with contextlib.ExitStack() as stack:
    past = None
    if out.exists():
      past = stack.enter_context(h5py.File(out, 'r'))[blocks.KEY]
    for start in range(0, len(rows), step):
      yield np.stack(
        [
          past[row.source.video]
          if row.source.indexed
          else partial.frames([row.source])[0]
          for row in rows[start : start + step]
        ]
      )
