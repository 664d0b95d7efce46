"""Videos from files into an index: added batch by batch, or hashed anew."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import Any

import numpy as np

from nph_jax import errors
from nph_jax.data import progress
from nph_jax.index import errors as index_errors
from nph_jax.index import sources, video_index

_COMMIT = 4096  # hashed videos that an interruption may cost


def add(
  index: video_index.VideoIndex, source: Any, skip_known: bool = False
) -> int:
  """Adds the videos of `source`, from where an interruption left them.

  Args:
    index: where to.
    source: of sources.
    skip_known: leave out those that the index has, or that came twice.

  Returns:
    How many were left out.
  """
  done, _ = index.jobs().get(source.name, (0, 0))
  total, skipped = source.num_videos, 0
  waiting: list[sources.Block] = []
  with progress.bar('indexing', total, 'video', initial=done) as bar:
    for block in source.blocks(done):
      waiting.append(block)
      count = sum(len(b.codes) for b in waiting)
      if count >= _COMMIT or done + count == total:
        some, waiting = sources.joined(waiting), []
        rows = _unknown(index, some) if skip_known else np.arange(count)
        job, new = (source.name, done + count, total), some.take(rows)
        with _naming(source, done, rows):
          index.add(
            new.codes, new.metadata, new.relaxed, None, job, new.contents
          )
        done, skipped = done + count, skipped + count - len(rows)
      bar.update(len(block.codes))
  return skipped


def _unknown(index: video_index.VideoIndex, block: sources.Block) -> np.ndarray:
  """Rows of the videos that the index does not have, each once."""
  seen: set[tuple[int, int]] = set()
  rows = []
  keys = block.known_by()
  for row, ids in enumerate(index.known(*zip(*keys))):
    names = {pair for pair in enumerate(keys[row]) if pair[1] is not None}
    if not ids and seen.isdisjoint(names):
      rows.append(row)
    seen |= names
  return np.array(rows, int)


@contextlib.contextmanager
def _naming(source: Any, done: int, rows: np.ndarray) -> Iterator[None]:
  """Says of bad metadata where in the files it stands."""
  try:
    yield
  except index_errors.BadMetadata as error:
    place = source.about.place(done + int(rows[error.number]))
    raise errors.UserError(f'{place}: {error.why}') from error


def rehash(
  index: video_index.VideoIndex, source: Any, hasher: Any, in_order: bool
) -> None:
  """Gives all videos of `index` the codes of `hasher`; ids and metadata stay.

  Args:
    index: of the videos.
    source: features of all of them, and maybe of others.
    hasher: that makes the codes.
    in_order: the videos are those of the index in the order of their ids;
      otherwise each is known by its features or its file's hash.

  Raises:
    UserError: a video of the index is not among them; nothing was changed.
  """
  ids = index.ids()
  if in_order and source.num_videos != len(ids):
    raise errors.UserError(
      f'--in_order: the index holds {len(ids)} videos, but there are features '
      f'of {source.num_videos}; give those of all, in the order of their ids.'
    )
  index.rehash(
    _rehashed(index, source, ids if in_order else None),
    hasher.num_bits,
    hasher.digest,
  )


def _rehashed(
  index: video_index.VideoIndex, source: Any, ids: np.ndarray | None
) -> Iterator[tuple[np.ndarray, ...]]:
  """Ids, codes, t and contents of each block's videos, each given once."""
  given: set[int] = set()
  done = 0
  for block in source.blocks(0):
    if ids is None:
      found = index.known(*zip(*block.known_by()))
    else:
      found = [[video] for video in ids[done : done + len(block.codes)]]
    done += len(block.codes)
    pairs = [
      (row, video)
      for row, videos in enumerate(found)
      for video in videos
      if video not in given and not given.add(video)
    ]
    rows, chosen = np.array(pairs, np.int64).reshape(-1, 2).T
    some = block.take(rows)
    yield chosen, some.codes, some.relaxed, some.contents
