"""A library: an index, the files it is of, and the bundle of its codes."""

from __future__ import annotations

import contextlib
import os
import pathlib
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from nph_jax import compilation, errors
from nph_jax.export import hasher as hasher_lib
from nph_jax.index import VideoIndex
from nph_jax.index import errors as index_errors
from nph_jax.library import codes
from nph_jax.library import store as store_lib

_BLOCK = 128  # videos


class Library:
  """A library that is open; a context manager.

  Attributes:
    folder: of the index; the rest lies in it too.
    index: what is searched.
    store: what is known of the files.
    hasher: whose codes the index holds; None of a new library.
  """

  def __init__(
    self,
    folder: pathlib.Path,
    read_only: bool = False,
    must_exist: bool = False,
  ):
    """Opens the library in `folder`, or makes it.

    Args:
      folder: of the index.
      read_only: nothing is to be changed, or made.
      must_exist: nothing is to be made.

    Raises:
      UserError: there is none, it is another kind of index, it is damaged, or
        another program writes there.
    """
    self.folder, there = folder, (folder / store_lib.NAME).is_file()
    if (read_only or must_exist) and not there:
      raise errors.UserError(
        f'{folder}: no library is there; `nph-jax add VIDEOS` makes one.'
      )
    compilation.use_persistent_cache()
    with contextlib.ExitStack() as stack:
      if there:
        self.index = VideoIndex.open(folder, read_only=read_only)
      else:
        self.index = _new_index(folder)
      stack.callback(self.index.close)
      self.store = stack.enter_context(store_lib.Store(folder, read_only))
      self.hasher, digest = None, self.index.bundle_digest
      if not read_only:
        codes.drop_others(folder, digest)
      if digest is not None:
        path = codes.path_of(folder, digest)
        self.hasher = hasher_lib.load_hasher(path)
        self.index.check_bundle(self.hasher.digest, self.hasher.num_bits)
      self._closing = stack.pop_all()

  def __enter__(self) -> Library:
    return self

  def __exit__(self, *_: object) -> None:
    self._closing.close()

  def give(self, bundle: str) -> None:
    """Gives a library that has no codes yet those of a bundle, for good.

    Raises:
      UserError: it has others, or the bundle does not fit its features.
    """
    made = codes.copy(self.folder, pathlib.Path(bundle))
    settings = self.store.settings
    frames, width = settings['num_frames'], settings['feature_dim']
    if (made.num_frames, made.feature_dim) != (frames, width):
      raise errors.UserError(
        f'--bundle={bundle}: reads {made.num_frames} frames of width '
        f'{made.feature_dim}, but {settings["backbone"]} gives {frames} of '
        f'width {width}; give another bundle, or --backbone.'
      )
    if self.hasher is None:
      self._use(made, [])
    elif self.hasher.digest != made.digest:
      raise errors.UserError(
        f'--bundle={bundle}: the library has {codes.words(self.hasher)}; leave '
        '--bundle out, or give another --index.'
      )

  def videos(self) -> list[store_lib.File]:
    """The files that the index has, and whose features are here."""
    ids = set(self.index.ids().tolist())
    return [
      file
      for file in self.store.files()
      if file.video in ids and not file.is_bad and file.indexed
    ]

  def follow(self) -> None:
    """Brings the index up to what is known of the files; durable on return."""
    waiting = self.store.waiting()
    if waiting and self.hasher is None:
      self._use(self._first(waiting), [])
    bad = [x.video for x in self.store.files() if x.is_bad]
    self.index.remove(np.array([x for x in bad if x is not None], np.int64))
    for start in range(0, len(waiting), _BLOCK):
      some = waiting[start : start + _BLOCK]
      frames = self.store.frames(some)
      packed, relaxed = self.hasher.encode_relaxed(frames)
      ids = self._ids(some)
      self.index.remove(ids)
      about = [self.metadata(file) for file in some]
      self.index.add(packed, about, relaxed, ids)
      self.store.mark(some, indexed=True)

  def _ids(self, files: Sequence[store_lib.File]) -> np.ndarray:
    """The ids of these files, new ones where they have none, int64 [n]."""
    taken = set(self.index.ids().tolist())
    known = [x.video for x in self.store.files() if x.video is not None]
    free, ids = max(taken | set(known), default=-1) + 1, []
    for file in files:
      video = file.video
      if video is None or (video in taken and not self._owns(file)):
        video, free = free, free + 1
        self.store.allot(file, video)
      ids.append(video)
    return np.array(ids, np.int64)

  def _owns(self, file: store_lib.File) -> bool:
    """Whether the index has this file by that id, and not what the page gave
    it meanwhile."""
    (about,) = self.index.metadata([file.video])
    if 'stored' in file.record or 'stored' in about:
      return file.record.get('stored') == about.get('stored')
    return os.path.isabs(str(about.get('path', '')))

  def metadata(self, file: store_lib.File) -> dict[str, Any]:
    """What the index keeps of a file."""
    if 'stored' in file.record:
      return file.record
    about = {**file.record, 'path': file.path, 'bytes': file.stamp[0]}
    if self.store.settings.get('labels') == 'folders':
      about['labels'] = [os.path.basename(os.path.dirname(file.path))]
    return about

  def label(self, labels: str) -> None:
    """Has videos labelled by their folders, or not: 'folders' or 'none'."""
    if self.store.settings.get('labels', 'none') != labels:
      self.store.mark(self.videos(), indexed=False)
      self.store.set(labels=labels)

  def root(self) -> str | None:
    """The folder that all files lie in; None without any."""
    folders = {
      os.path.dirname(file.path)
      for file in self.store.files()
      if 'stored' not in file.record
    }
    return os.path.commonpath(folders) if folders else None

  def items(self) -> Iterator[tuple[int, dict[str, Any]]]:
    """Id and metadata of all videos of the index."""
    last = -1
    while page := self.index.items(start_after=last, limit=1000):
      yield from page
      last = page[-1][0]

  def uploads(self) -> Iterator[tuple[int, dict[str, Any]]]:
    """Id and metadata of those that came through the page."""
    if (self.folder / 'videos').is_dir():
      yield from (
        x for x in self.items() if isinstance(x[1].get('stored'), str)
      )

  def forget(self, files: Sequence[store_lib.File]) -> None:
    """Takes files out of index and library."""
    ids = [file.video for file in files if file.video is not None]
    self.index.remove(np.array(ids, np.int64))
    self.store.forget(files)

  def _first(self, waiting: Sequence[store_lib.File]) -> hasher_lib.Hasher:
    """The starter, or what a network without one learns from these."""
    settings = self.store.settings
    shape = settings['num_frames'], settings['feature_dim']
    made = codes.starter(*shape) or self._learned(waiting)
    return codes.keep(self.folder, made)

  def learn(self, force: bool = False) -> str | None:
    """Gives all videos codes learned from them, if it is time to.

    All codes change in one transaction; ids stay.

    Args:
      force: now, whether or not it is time.

    Returns:
      A line that says so, None where nothing was done.

    Raises:
      UserError: forced, but the codes are a given bundle's or there are too few
        videos.
    """
    videos = self.videos()
    if codes.learned_from(self.hasher) is None:
      if force:
        raise errors.UserError(
          f'{self.folder}: has {codes.words(self.hasher)}, which was given for '
          'good; make another library without --bundle.'
        )
      return None
    if not force and not codes.is_due(self.hasher, len(videos)):
      return None
    others = len(self.index) - len(videos)
    if others:
      return (
        f'codes stay as they are: of {others:,} videos there are no features '
        'here; remove them, or add their files'
      )
    made = codes.keep(self.folder, self._learned(videos))
    self._use(made, videos)
    return f'all codes anew, learned from the {len(videos):,} videos themselves'

  def _learned(self, videos: Sequence[store_lib.File]) -> Any:
    settings = self.store.settings
    shape = settings['num_frames'], settings['feature_dim']
    return codes.learn(lambda: self._read(videos), (len(videos), *shape))

  def _read(self, videos: Sequence[store_lib.File]) -> Iterator[np.ndarray]:
    for start in range(0, len(videos), _BLOCK):
      yield self.store.frames(videos[start : start + _BLOCK])

  def _use(
    self, hasher: hasher_lib.Hasher, videos: Sequence[store_lib.File]
  ) -> None:
    """Gives all videos of the index the codes of `hasher`, in one step."""

    def batches() -> Iterator[tuple[np.ndarray | None, ...]]:
      starts = range(0, max(len(videos), 1), _BLOCK)
      for some in (videos[start : start + _BLOCK] for start in starts):
        ids = np.array([file.video for file in some], np.int64)
        yield ids, *hasher.encode_relaxed(self.store.frames(some)), None

    self.index.rehash(batches(), hasher.num_bits, hasher.digest)
    self.index.check_bundle(hasher.digest, hasher.num_bits)
    self.hasher = hasher


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
