"""The index follows the store: what is new, what has changed, new codes."""

from __future__ import annotations

import itertools
import os
import pathlib
from collections.abc import Iterator, Sequence

import numpy as np

from nph_jax import errors, export
from nph_jax.export import files
from nph_jax.index.records import Segments
from nph_jax.library import codes, moments, store
from nph_jax.library import library as library_lib

_BLOCK = 128  # videos


def follow(library: library_lib.Library) -> None:
  """Brings the index up to what is known of the files; durable on return.

  Raises:
    UserError: features of a network without a starter are of too few videos.
  """
  waiting = library.store.waiting()
  if waiting and library.bundle is None:
    made = codes.starter(*_shape(library)) or _learned(library, waiting)
    _rehash(library, codes.keep(library.folder, made), [])
  bad = [x.video for x in library.store.files() if x.is_bad]
  library.index.remove(np.array([x for x in bad if x is not None], np.int64))
  ids = _ids(library, waiting)
  for start in range(0, len(waiting), _BLOCK):
    rows = slice(start, start + _BLOCK)
    _add(library, waiting[rows], ids[rows])


def _add(
  library: library_lib.Library, files: Sequence[store.File], ids: np.ndarray
) -> None:
  frames = library.store.frames(files)
  packed, relaxed = library.hasher.encode_relaxed(frames)
  library.index.remove(ids)
  about = [library.metadata(file) for file in files]
  segments = _segments(library, library.hasher, files)
  library.index.add(packed, about, relaxed, ids, segments=segments)
  library.store.mark(files, indexed=True)


def _segments(
  library: library_lib.Library,
  hasher: export.Hasher,
  files: Sequence[store.File],
) -> list[Segments | None] | None:
  """Codes of the segments of each of these files, where it has some."""
  if library.store.length is None:
    return None
  cuts: list[tuple[float, np.ndarray] | None] = []

  def frames() -> Iterator[np.ndarray]:
    for file in files:
      parts = library.store.segments(file)
      cuts.append(parts and (parts.seconds, parts.lengths))
      yield from parts.frames if parts else ()

  left, codes = frames(), [np.empty((0, hasher.num_bits // 8), np.uint8)]
  blocks = iter(lambda: [*itertools.islice(left, hasher.block_size)], [])
  still = (moments.still(np.stack(rows), hasher.num_frames) for rows in blocks)
  codes += [packed for packed, _ in hasher.encode_blocks(still)]
  left, found = iter(np.concatenate(codes)), []
  for file, cut in zip(files, cuts, strict=True):
    if cut is None:
      found.append(None)
      continue
    seconds, lengths = cut
    each = np.stack([*itertools.islice(left, len(lengths))])
    each = each.repeat(lengths, axis=0)
    duration = file.record.get('duration', seconds * len(each))
    found.append(Segments(seconds, duration, each))
  return found


def _ids(
  library: library_lib.Library, files: Sequence[store.File]
) -> np.ndarray:
  """The ids of these files, new ones where they have none, int64 [n]."""
  taken = set(library.index.ids().tolist())
  given = {x.video for x in library.store.files()} - {None}
  free, ids = max(taken | given, default=-1) + 1, []
  for file in files:
    video = file.video
    if video is None or (video in taken and not _owns(library, file)):
      video, free = free, free + 1
    ids.append(video)
  library.store.allot(files, ids)
  return np.array(ids, np.int64)


def _owns(library: library_lib.Library, file: store.File) -> bool:
  """Whether the index has this file by that id.

  The page gives ids too: maybe this one, after it was allotted and before a
  killed program could use it.
  """
  (about,) = library.index.metadata([file.video])
  stored = library_lib.STORED
  if stored in file.record or stored in about:
    return file.record.get(stored) == about.get(stored)
  return os.path.isabs(str(about.get('path', '')))


def give(library: library_lib.Library, bundle: str) -> None:
  """Gives a library that has no codes yet those of a bundle, for good.

  Raises:
    UserError: it has others, or the bundle does not fit its features.
  """
  made = codes.copy(library.folder, pathlib.Path(bundle))
  frames, width = _shape(library)
  if (made.num_frames, made.feature_dim) != (frames, width):
    raise errors.UserError(
      f'--bundle={bundle}: reads {made.num_frames} frames of width '
      f'{made.feature_dim}, but the library has {frames} of width {width}; '
      'give another bundle, or --backbone.'
    )
  if library.bundle is None:
    _rehash(library, made, [])
  elif library.bundle.digest != made.digest:
    raise errors.UserError(
      f'--bundle={bundle}: the library has {codes.words(library.bundle)}; '
      'leave --bundle out, or give another --index.'
    )


def learn(library: library_lib.Library, force: bool = False) -> str | None:
  """Gives all videos codes learned from them, if it is time to.

  All codes change in one transaction; ids stay.

  Args:
    library: whose index is up to date.
    force: now, whether or not it is time.

  Returns:
    A line that says so, None where nothing was to be done.

  Raises:
    UserError: forced, but the codes are a given bundle's, or there are too few
      videos or some without features.
  """
  if library.bundle is None:
    return None
  videos = library.videos()
  why_not = _why_not(library, len(videos))
  if why_not and force:
    raise errors.UserError(f'{library.folder}: {why_not}.')
  if not (force or codes.is_due(library.bundle, len(videos))):
    return None
  if why_not:
    return f'codes stay as they are: {why_not}'
  made = codes.keep(library.folder, _learned(library, videos))
  _rehash(library, made, videos)
  return f'all codes anew, learned from the {len(videos):,} videos themselves'


def _why_not(library: library_lib.Library, count: int) -> str | None:
  """Why codes cannot be learned from `count` videos; None if they can."""
  if codes.learned_from(library.bundle) is None:
    return f'has {codes.words(library.bundle)}, which were given for good'
  others = len(library.index) - count
  if not others:
    return None
  return (
    f'of {others:,} videos there are no features here, since `add` did not '
    'bring them; remove them with `nph-jax index remove`, or add their files'
  )


def _shape(library: library_lib.Library) -> tuple[int, int]:
  """M and L."""
  settings = library.store.settings
  return settings['num_frames'], settings['feature_dim']


def _learned(
  library: library_lib.Library, videos: Sequence[store.File]
) -> files.Bundle:
  def read() -> Iterator[np.ndarray]:
    for start in range(0, len(videos), _BLOCK):
      yield library.store.frames(videos[start : start + _BLOCK])

  return codes.learn(read, (len(videos), *_shape(library)))


def _rehash(
  library: library_lib.Library,
  hasher: export.Hasher,
  videos: Sequence[store.File],
) -> None:
  """Gives all videos of the index the codes of `hasher`, in one step."""

  def batches() -> Iterator[tuple[np.ndarray | None, ...]]:
    for start in range(0, max(len(videos), 1), _BLOCK):
      some = videos[start : start + _BLOCK]
      ids = np.array([file.video for file in some], np.int64)
      frames = library.store.frames(some)
      segments = _segments(library, hasher, some)
      yield ids, *hasher.encode_relaxed(frames), None, None, segments

  library.index.rehash(batches(), hasher.num_bits, hasher.digest)
  library.use(hasher.digest)
