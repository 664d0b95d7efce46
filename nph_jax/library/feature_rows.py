"""What is to be in a feature file: its videos in order, as they are now."""

from __future__ import annotations

import dataclasses
import os
import pathlib
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

from nph_jax import errors
from nph_jax.extraction import extracting, files, output
from nph_jax.library import report as report_lib
from nph_jax.library import scanning, store


@dataclasses.dataclass(frozen=True)
class Job:
  """What `nph-jax extract` is to do.

  Attributes:
    videos: folder.
    out: the features, of the shard if there are several.
    options: of the extraction.
    labels: whether folders are labels; None: as before.
    label_names: JSON file that fixes them; None for those found.
    shard: (i, n).
    prune: rows of videos that are gone go too.
    retry: bad files are tried once more.
  """

  videos: str
  out: pathlib.Path
  options: extracting.Options
  labels: bool | None
  label_names: str | None
  shard: tuple[int, int]
  prune: bool = False
  retry: bool = False


class Row(NamedTuple):
  """A video as it is to be in the file.

  Attributes:
    entry: what the file is to know of it.
    path: of the video.
    source: whose frames it has: of the store, or of the file so far.
    place: its row in the file so far; None of a new one.
  """

  entry: output.Entry
  path: str
  source: store.File
  place: int | None


def follow(
  job: Job, old: output.Finished | None, partial: store.Store
) -> tuple[list[Row], report_lib.Report, list[str] | None]:
  """Extracts what is new into the store `partial`.

  Args:
    job: see there.
    old: what is in the file so far.
    partial: what a run that was cut has left.

  Returns:
    The rows in order, bad ones last; the report; the names of the labels, None
    where they are not wanted.

  Raises:
    UserError: there is no video, or extraction cannot begin.
  """
  root = os.path.abspath(job.videos)
  past = _past(old, root)
  known = [*({x.path: x for x in [*past, *partial.files()]}).values()]
  everything, ignored = scanning.find([root], [] if job.prune else known)
  found = scanning.compare(_of_shard(job, everything), known, job.retry)
  gone = scanning.gone([root], known, found)
  kept = [] if job.prune else gone
  names = _label_names(job, everything, kept)
  report = report_lib.Report(ignored, [file.path for file in gone])
  fresh = _extract(job, found, partial)
  places = {file.path: file.video for file in past}
  rows = []
  for kind, video, file in found:
    source, before = fresh.get(video.path, file), file and file.path
    report.count(kind, video.path, source.record)
    entry = output.Entry(
      files.name_below(video.path, root), video.stamp, source.record
    )
    place = None if kind == scanning.COPY else places.get(before)
    rows.append(Row(entry, video.path, source, place))
  for file in kept:
    entry = output.Entry(
      files.name_below(file.path, root), file.stamp, file.record
    )
    rows.append(Row(entry, file.path, file, places.get(file.path)))
  return sorted(rows, key=_order), report, names


def _order(row: Row) -> tuple[bool, bool, int, str]:
  new = row.place is None
  return row.entry.is_bad, new, 0 if new else row.place, row.entry.name


def _past(old: output.Finished | None, root: str) -> list[store.File]:
  """The videos of the file so far; `video` of each is its row."""
  return [
    store.File(
      number=-1 - row,
      path=os.path.join(root, entry.name),
      stamp=entry.stamp,
      record=entry.record,
      video=None if entry.is_bad else row,
      indexed=True,
    )
    for row, entry in enumerate(old.entries if old else [])
  ]


def _of_shard(job: Job, videos: Sequence[files.Video]) -> list[files.Video]:
  root, (number, total) = os.path.abspath(job.videos), job.shard
  own = [
    video
    for video in videos
    if files.in_shard(files.name_below(video.path, root), number, total)
  ]
  if videos and not own:
    raise errors.UserError(
      f'--shard={number}/{total}: holds no video, as there are {len(videos)} '
      'in all; use fewer shards.'
    )
  return own


def _extract(
  job: Job, found: Sequence[scanning.Found], partial: store.Store
) -> dict[str, store.File]:
  """What is known now, by path, of videos that were new, in the store."""
  fresh = {}

  def done(
    video: files.Video,
    record: dict[str, Any],
    frames: np.ndarray | None,
    *_: Any,  # of segments, which a file of features has not
  ) -> None:
    # The store cannot hold every name; what it cannot is bad.
    fresh[video.path] = store.File(
      0, video.path, video.stamp, record, None, False
    )
    if files.is_text(video.path):
      partial.put(video.path, video.stamp, record, frames)

  new = [x.video for x in found if x.kind in report_lib.EXTRACTED]
  extracting.extract(job.options, new, done)
  return fresh | {x.path: x for x in partial.files() if x.path in fresh}


def _label_names(
  job: Job, videos: Sequence[files.Video], kept: Sequence[store.File]
) -> list[str] | None:
  """The columns; None where labels are not wanted.

  Args:
    job: see there.
    videos: of all shards.
    kept: files of this one that are gone.
  """
  labels = job.labels
  if labels is None:
    labels = output.beside(job.out, '_labels.json').exists()
  if not labels:
    return None
  found = {files.label_of(video.path) for video in videos}
  own = {files.label_of(file.path): file.path for file in kept}
  for label in own.keys() - found if job.shard[1] > 1 else ():
    raise errors.UserError(
      f'{own[label]}: is gone, and no other shard has its label {label!r} any '
      'more; take it out with --prune.'
    )
  return files.label_names(found | own.keys(), job.label_names)
