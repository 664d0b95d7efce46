"""Additions of many videos: batch by batch, each of which can be the last."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from nph_jax import errors
from nph_jax.data import progress
from nph_jax.index import sources
from nph_jax.retrieval import video_index
from nph_jax.retrieval.indexing import facets

_COMMIT = 4096  # hashed videos that an interruption may cost


def run(index: video_index.VideoIndex, source: Any) -> None:
  """Adds the videos of `source`, from where an interruption left them."""
  done, _ = index.jobs().get(source.name, (0, 0))
  total = source.num_videos
  waiting: list[sources.Block] = []
  with progress.bar('indexing', total, 'video', initial=done) as bar:
    for block in source.blocks(done):
      waiting.append(block)
      count = sum(len(b.codes) for b in waiting)
      if count >= _COMMIT or done + count == total:
        with _naming(source, done):
          _add(index, waiting, (source.name, done + count, total))
        done, waiting = done + count, []
      bar.update(len(block.codes))


@contextlib.contextmanager
def _naming(source: Any, done: int) -> Iterator[None]:
  """Says of bad metadata where in the files it stands."""
  try:
    yield
  except facets.BadMetadata as error:
    place = source.about.place(done + error.number)
    raise errors.UserError(f'{place}: {error.why}') from error


def _add(
  index: video_index.VideoIndex,
  parts: Sequence[sources.Block],
  job: tuple[str, int, int],
) -> None:
  codes, relaxed, about = zip(*parts)
  has_relaxed = index.keeps_relaxed and relaxed[0] is not None
  index.add(
    np.concatenate(codes),
    None if about[0] is None else [row for rows in about for row in rows],
    np.concatenate(relaxed) if has_relaxed else None,
    job=job,
  )
