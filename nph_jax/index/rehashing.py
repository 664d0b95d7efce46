"""All codes of an index anew, from features under another bundle."""

from __future__ import annotations

from typing import Any

import numpy as np

from nph_jax import errors
from nph_jax.index import sources, video_index


def run(
  index: video_index.VideoIndex, source: Any, hasher: Any, in_order: bool
) -> None:
  """Rehashes `index` with the videos of `source`.

  Args:
    index: whose ids and metadata stay.
    source: features of all its videos, and maybe of others.
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
  find = _in_order(ids) if in_order else _known(index)
  parts = map(find, source.blocks(0))
  index.rehash(parts, hasher.num_bits, hasher.digest)


def _in_order(ids: np.ndarray) -> Any:
  done = 0

  def find(block: sources.Block) -> tuple[np.ndarray, ...]:
    nonlocal done
    some = ids[done : done + len(block.codes)]
    done += len(some)
    return some, block.codes, block.relaxed, block.contents

  return find


def _known(index: video_index.VideoIndex) -> Any:
  """What finds the ids of a block's videos, each of which is given once."""
  given: set[int] = set()

  def find(block: sources.Block) -> tuple[np.ndarray, ...]:
    ids, rows = [], []
    for row, videos in enumerate(sources.known(index, block)):
      new = [video for video in videos if video not in given]
      given.update(new)
      ids += new
      rows += [row] * len(new)
    contents = None if block.contents is None else block.contents[rows]
    chosen = np.array(ids, np.int64)
    return chosen, block.codes[rows], block.relaxed[rows], contents

  return find
