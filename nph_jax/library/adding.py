"""What `nph-jax add` does: sees what became of files, and has the index follow.

Cut at any point, the same command goes on: what was extracted is in the store,
and the index follows the store.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from nph_jax.extraction import files
from nph_jax.library import extraction, following, scanning, shots, store
from nph_jax.library import library as library_lib
from nph_jax.library import report as report_lib


def run(
  library: library_lib.Library,
  places: Sequence[str],
  decoding: extraction.Decoding,
  *,
  prune: bool = False,
  retry: bool = False,
) -> report_lib.Report:
  """Adds the videos in folders, and those named, to a library.

  Args:
    library: open for writing, its settings made.
    places: folders and files.
    decoding: how much it may take.
    prune: files that are gone leave the library.
    retry: bad files are tried once more.

  Raises:
    UserError: a place is not there or holds no video, or extraction cannot
      begin.
  """
  known = library.store.files()
  # A folder that holds nothing any more may be a disk that is missing.
  videos, ignored = scanning.find(places, [] if prune else known)
  found = scanning.compare(videos, known, retry)
  gone = scanning.gone(places, known, found)
  report = report_lib.Report(ignored, [x.path for x in gone])
  _settle(library, found, set(map(os.path.abspath, places)), report)
  _extract(library, found, _uploads(library, known), decoding, report)
  following.follow(library)
  if prune:
    library.forget(gone)
  report.taught = following.learn(library)
  return report


def _settle(
  library: library_lib.Library,
  found: Sequence[scanning.Found],
  named: set[str],
  report: report_lib.Report,
) -> None:
  """Notes all that needs no extraction."""
  there = set(library.index.ids().tolist())
  for kind, video, file in found:
    if kind in (scanning.MOVED, scanning.TOUCHED):
      library.store.move(file, video.path, video.stamp)
    elif kind == scanning.COPY:
      (frames,) = library.store.frames([file])
      parts = library.store.segments(file)
      library.store.put(
        video.path, video.stamp, file.record, frames, parts=parts
      )
    elif kind == scanning.BAD:
      report.bad[video.path] = file.record[store.ERROR]
    # Someone took it out of the index: its folder does not put it back.
    elif kind == scanning.KNOWN and file.indexed and file.video not in there:
      kind = scanning.COPY if video.path in named else 'removed'
      if kind == scanning.COPY:
        library.store.mark([file], indexed=False)
    if kind in report_lib.OUTCOMES:
      report.counts[report_lib.OUTCOMES[kind]] += 1


def _uploads(
  library: library_lib.Library, known: Sequence[store.File]
) -> dict[files.Video, tuple[int, dict[str, Any]]]:
  """What came through the page since: ids and metadata of these videos."""
  there, stored = library.uploads(), library_lib.STORED
  library.store.forget(
    [x for x in known if stored in x.record and x.video not in there]
  )
  lacking, found = _lacking(library), {}
  mine = {file.video: file.path for file in known}
  for video, about in there.items():
    if video not in mine or mine[video] in lacking:
      path = str(library.folder / library_lib.UPLOADS / about[stored])
      path = mine.get(video, path)
      found[files.Video(path, files.stamp(path))] = video, about
  return found


def _extract(
  library: library_lib.Library,
  found: Sequence[scanning.Found],
  uploads: Mapping[files.Video, tuple[int, dict[str, Any]]],
  decoding: extraction.Decoding,
  report: report_lib.Report,
) -> None:
  def done(
    video: files.Video,
    record: dict[str, Any],
    frames: np.ndarray | None,
    stream: np.ndarray | None = None,
  ) -> None:
    """See extracting.Done."""
    if frames is None:
      report.bad[video.path] = record[store.ERROR]
      if video in uploads or not files.is_text(video.path):
        return
    elif video not in uploads and video.path not in lacking:
      report.counts['changed' if video.path in changed else 'added'] += 1
    known, about = uploads.get(video, (None, record))
    parts = None if stream is None else shots.cut(chosen['segments'], stream)
    library.store.put(video.path, video.stamp, about, frames, known, parts)

  lacking, chosen = _lacking(library), library.store.settings
  new = [
    x.video
    for x in found
    if x.kind in report_lib.EXTRACTED or x.video.path in lacking
  ]
  changed = {x.video.path for x in found if x.kind == scanning.CHANGED}
  if new or uploads:
    extraction.run([*new, *uploads], chosen, decoding, done)


def _lacking(library: library_lib.Library) -> set[str]:
  """Paths of known videos whose segments are missing or of another length."""
  if library.store.length is None:
    return set()
  there = set(library.index.ids().tolist())
  done = library.store.segmented()
  return {
    file.path
    for file in library.store.files()
    if file.number not in done
    and not file.is_bad
    # Not of those that someone took out of the index.
    and (not file.indexed or file.video in there)
  }
