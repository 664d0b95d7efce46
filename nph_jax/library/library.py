"""A library: an index, the files it is of, and the bundle of its codes."""

from __future__ import annotations

import contextlib
import functools
import os
import pathlib
import shutil
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from nph_jax import compilation, errors, export
from nph_jax.export import files
from nph_jax.extraction import files as video_files
from nph_jax.index import VideoIndex
from nph_jax.index import errors as index_errors
from nph_jax.library import codes, moments, store

_PAGE = 1000
# All of a library that is ranked so, unless something keeps it from learning.
_RANKED_BY_T = 1000
# Where nph_jax.service keeps uploads, and their names in the metadata.
UPLOADS, STORED = 'videos', 'stored'


class Library:
  """A library that is open; a context manager.

  One that was made now and is left without a video is taken away again.

  Attributes:
    folder: of the index; the rest lies in it too.
    index: what is searched.
    store: what is known of the files.
    bundle: whose codes the index holds; None of a library without videos.
  """

  def __init__(self, folder: pathlib.Path, mode: str = 'make'):
    """Opens the library in `folder`.

    Args:
      folder: of the index.
      mode: 'read', 'change', or 'make' where there may be none yet.

    Raises:
      UserError: there is none, it is another kind of index, it is damaged, or
        another program writes there.
    """
    self.folder, there = folder, (folder / store.NAME).is_file()
    self._was_there = folder.exists()
    if mode != 'make' and not there:
      raise errors.UserError(
        f'{folder}: no library is there; `nph-jax add VIDEOS` makes one.'
      )
    read_only = mode == 'read'
    if not read_only:
      compilation.set_up()
    with contextlib.ExitStack() as stack:
      if there:
        self.index = VideoIndex.open(folder, read_only=read_only)
      else:
        self.index = _new_index(folder)
      stack.callback(self.index.close)
      self.store = stack.enter_context(store.Store(folder, read_only))
      self.bundle, digest = None, self.index.bundle_digest
      if digest is not None:
        self.use(digest)
      elif mode != 'make':
        raise errors.UserError(
          f'{folder}: the library holds no video yet; `nph-jax add VIDEOS`.'
        )
      if not read_only:
        codes.drop_others(folder, digest)
      self._closing = stack.pop_all()

  def __enter__(self) -> Library:
    return self

  def __exit__(self, *_: object) -> None:
    empty = not (self._was_there or len(self.index) or self.store.waiting())
    self._closing.close()
    if empty:
      shutil.rmtree(self.folder)

  def use(self, digest: str) -> None:
    """Takes up the bundle whose codes the index holds."""
    bundle = files.read(codes.path_of(self.folder, digest))
    self.index.check_bundle(bundle.digest, bundle.manifest['num_bits'])
    self.bundle = bundle
    self.__dict__.pop('hasher', None)

  @functools.cached_property
  def hasher(self) -> export.Hasher:
    """The bundle's; loaded, with jax, only once something is to be hashed."""
    compilation.set_up()
    return export.load_hasher(codes.path_of(self.folder, self.bundle.digest))

  def search(
    self,
    code: np.ndarray,
    relaxed: np.ndarray,
    k: int,
    where: dict[str, str] | None = None,
  ) -> list[Any]:
    """The k nearest videos, by what ranks best for the library's codes.

    Args:
      code: uint8 [P].
      relaxed: t [K].
      k: results at most.
      where: as VideoIndex.search has it.
    """
    by_t = codes.is_ranked_by_t(self.bundle)
    return self.index.search(
      code[None],
      k,
      where=where,
      rerank=max(k, _RANKED_BY_T) if by_t else 0,
      relaxed=relaxed[None],
    )[0]

  def moments(
    self,
    frames: np.ndarray,
    about: Mapping[str, Any],
    k: int,
    where: dict[str, str] | None = None,
  ) -> list[Any]:
    """The k videos in which a clip is, or what is most like it, and where.

    Args:
      frames: [M, L] of the clip.
      about: its record, as extraction makes it.
      k, where: as of `search`.
    """
    return moments.find(
      self.index, self.store, self.hasher, frames, about, k, where
    )

  def items(self) -> Iterator[tuple[int, dict[str, Any]]]:
    """Id and metadata of all videos of the index."""
    last = -1
    while page := self.index.items(start_after=last, limit=_PAGE):
      yield from page
      last = page[-1][0]

  def videos(self) -> list[store.File]:
    """The files that the index has as they are here, with features."""
    ids = set(self.index.ids().tolist())
    return [
      file
      for file in self.store.files()
      if file.video in ids and file.indexed and not file.is_bad
    ]

  def uploads(self) -> dict[int, dict[str, Any]]:
    """Metadata by id of the videos that came through the page."""
    if not (self.folder / UPLOADS).is_dir():
      return {}
    return {
      video: about
      for video, about in self.items()
      if isinstance(about.get(STORED), str)
    }

  def metadata(self, file: store.File) -> dict[str, Any]:
    """What the index is to keep of a file."""
    if STORED in file.record:
      return file.record
    about = {**file.record, 'path': file.path, 'bytes': file.stamp[0]}
    if self.store.settings.get('labels') == 'folders':
      about['labels'] = [video_files.label_of(file.path)]
    return about

  def label(self, labels: str) -> None:
    """Has videos labelled by their folders, or not: 'folders' or 'none'."""
    if self.store.settings.get('labels', 'none') != labels:
      self.store.mark(self.videos(), indexed=False)
      self.store.set(labels=labels)

  def forget(self, files: Sequence[store.File]) -> None:
    """Takes files out of index and library."""
    ids = [file.video for file in files if file.video is not None]
    self.index.remove(np.array(ids, np.int64))
    self.store.forget(files)

  def root(self) -> str | None:
    """The folder that all files lie in; None without any."""
    folders = {
      os.path.dirname(file.path)
      for file in self.store.files()
      if STORED not in file.record
    }
    return os.path.commonpath(folders) if folders else None


def _new_index(folder: pathlib.Path) -> VideoIndex:
  """An empty index: a new one, or one whose library was not made any more."""
  try:
    return VideoIndex.create(folder, codes.NUM_BITS)
  except index_errors.InvalidRequest as error:
    try:
      index = VideoIndex.open(folder)
    except index_errors.InvalidRequest:
      raise error from None
  if not len(index):
    return index
  index.close()
  raise errors.UserError(
    f'{folder}: an index is there that `nph-jax add` did not make, so that the '
    'features of its videos are not known; give another --index, or add to it '
    'with `nph-jax index add`.'
  )
