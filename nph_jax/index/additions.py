"""Additions of many videos: batch by batch, each of which can be the last."""

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


def run(
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
        some = sources.joined(waiting)
        rows = np.arange(count)
        if skip_known:
          rows = unknown(index, some)
          skipped += count - len(rows)
        with _naming(source, done, rows):
          _add(index, some, rows, (source.name, done + count, total))
        done, waiting = done + count, []
      bar.update(len(block.codes))
  return skipped


def unknown(index: video_index.VideoIndex, block: sources.Block) -> np.ndarray:
  """Rows of the videos that the index does not have, each once."""
  found, seen, rows = sources.known(index, block), set(), []
  for row, ids in enumerate(found):
    names = sources.keys(block, row)
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


def _add(
  index: video_index.VideoIndex,
  block: sources.Block,
  rows: np.ndarray,
  job: tuple[str, int, int],
) -> None:
  has_relaxed = index.keeps_relaxed and block.relaxed is not None
  about = block.metadata
  index.add(
    block.codes[rows],
    None if about is None else [about[row] for row in rows],
    block.relaxed[rows] if has_relaxed else None,
    job=job,
    contents=None if block.contents is None else block.contents[rows],
  )
