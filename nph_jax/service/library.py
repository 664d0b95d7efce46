"""Video files of the index: found by what was indexed, never by a request."""

from __future__ import annotations

import math
import os
import pathlib
import re
import shutil
from collections.abc import Mapping
from typing import Any, BinaryIO

from nph_jax import atomic, errors
from nph_jax.index import facets

# The hash of the content, by which the index knows a video.
_NAME = re.compile(r'[0-9a-f]{32}\.[a-z0-9]{2,4}')
_HIDDEN = ('stored',)


class Library:
  """The folder that was indexed, and the videos added through the service.

  The latter lie in a folder of the index, from before their record is there
  until after it is gone.
  """

  def __init__(
    self,
    videos: pathlib.Path | None,
    kept: pathlib.Path,
    follow_links: bool = False,
  ):
    """Args as follows.

    Args:
      videos: folder that `path` of the metadata is relative to, or None.
      kept: folder of added videos, made when there is one.
      follow_links: also those in `videos` that lead out of it.

    Raises:
      UserError: `videos` is no folder.
    """
    if videos is not None and not videos.is_dir():
      raise errors.UserError(
        f'--videos={videos}: is no folder; give the one whose videos were '
        'extracted, or leave the flag out.'
      )
    self._videos = videos
    self._kept = kept
    self._follow_links = follow_links

  def find(self, metadata: Mapping[str, Any]) -> pathlib.Path | None:
    """The file of the video with this metadata, None where there is none."""
    return self._find(metadata, self._follow_links)

  def leads_out(self, metadata: Mapping[str, Any]) -> bool:
    """Whether `find` finds nothing since a link is not to be followed."""
    return not self.find(metadata) and self._find(metadata, True) is not None

  def _find(
    self, metadata: Mapping[str, Any], follow: bool
  ) -> pathlib.Path | None:
    folder, name = self._place(metadata)
    if folder is None:
      return None
    named = pathlib.Path(os.path.abspath(folder / name))
    try:
      # Links are followed before the comparison.
      found = named.resolve(strict=True)
    except (OSError, ValueError, RuntimeError):
      return None
    inside = found.is_relative_to(folder.resolve())
    linked = follow and named.is_relative_to(os.path.abspath(folder))
    return found if (inside or linked) and found.is_file() else None

  def changed(self, metadata: Mapping[str, Any]) -> float:
    """When its file last changed, seconds since 1970; NaN if there is none."""
    folder, name = self._place(metadata)
    try:
      return (folder / name).stat().st_mtime if folder else math.nan
    except (OSError, ValueError):
      return math.nan

  def public(self, metadata: Mapping[str, Any]) -> dict[str, Any]:
    """What callers see of `metadata`: nothing of where it lies here."""
    shown = {k: v for k, v in metadata.items() if k not in _HIDDEN}
    path = shown.get('path')
    if isinstance(path, str) and os.path.isabs(path):
      inside = self._videos and pathlib.PurePath(path).is_relative_to(
        self._videos.absolute()
      )
      shown['path'] = (
        pathlib.PurePath(path).relative_to(self._videos.absolute()).as_posix()
        if inside
        else os.path.basename(path)
      )
    return shown

  def suffix(self, metadata: Mapping[str, Any]) -> str:
    """Of the file that `find` would look for, '' where it would not."""
    return pathlib.PurePath(self._place(metadata)[1]).suffix.lower()

  def _place(
    self, metadata: Mapping[str, Any]
  ) -> tuple[pathlib.Path | None, str]:
    """The folder of a video's file and its name there."""
    name = metadata.get('stored')
    if name is not None:
      kept = isinstance(name, str) and _NAME.fullmatch(name)
      return (self._kept, name) if kept else (None, '')
    name = metadata.get('path')
    known = self._videos is not None and isinstance(name, str)
    return (self._videos, name) if known else (None, '')

  def keep(self, upload: BinaryIO, name: str) -> str:
    """Copies an upload here and returns its name, for `stored`; durable.

    Args:
      upload: the video.
      name: hash and suffix.
    """
    path = self._kept / name
    try:
      with errors.writing('The folder of added videos'):
        if not self._kept.is_dir():
          self._kept.mkdir(parents=True, exist_ok=True)
          atomic.sync_folder(self._kept.parent)
        upload.seek(0)
        with open(path, 'wb') as target:
          shutil.copyfileobj(upload, target, 1 << 20)
          target.flush()
          os.fsync(target.fileno())
        atomic.sync_folder(self._kept)
    except BaseException:
      path.unlink(missing_ok=True)
      raise
    return name

  def drop(self, metadata: Mapping[str, Any]) -> None:
    """Deletes the file of a removed record, if the service had kept it."""
    folder, name = self._place(metadata)
    if folder == self._kept:
      (folder / name).unlink(missing_ok=True)

  def kept(self) -> set[str]:
    """Names of the added videos."""
    if not self._kept.is_dir():
      return set()
    files = (path.name for path in self._kept.iterdir() if path.is_file())
    return {name for name in files if _NAME.fullmatch(name)}


def recover(library: Library, index: Any) -> int:
  """Deletes what a killed service left; returns how many files it was.

  That is a video whose addition did not end, or whose removal: the index does
  not know it.
  """
  names = sorted(library.kept())
  hashes = [facets.file({'hash': name.partition('.')[0]}) for name in names]
  known = index.known([None] * len(names), hashes) if names else []
  orphans = [name for name, ids in zip(names, known, strict=True) if not ids]
  for name in orphans:
    library.drop({'stored': name})
  return len(orphans)
