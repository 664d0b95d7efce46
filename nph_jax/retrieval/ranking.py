"""The head of each query's ranking, with the tie group of every place."""

from __future__ import annotations

import dataclasses

import numpy as np


@dataclasses.dataclass(frozen=True)
class Ranking:
  """The first `depth` places of the rankings of B queries.

  Ties stand in database order. The last four describe the tie group of a
  place, whole even where it reaches beyond `depth`.

  Attributes:
    relevant: (B, depth) bool, the video at this place is relevant.
    group_start: (B, depth) videos ranked before the group.
    group_size: (B, depth) videos in the group.
    group_relevant: (B, depth) relevant videos in the group.
    relevant_before: (B, depth) relevant videos ranked before the group.
    num_relevant: (B,) relevant videos in the database, R.
  """

  relevant: np.ndarray
  group_start: np.ndarray
  group_size: np.ndarray
  group_relevant: np.ndarray
  relevant_before: np.ndarray
  num_relevant: np.ndarray


def rank(
  distances: np.ndarray,
  relevant: np.ndarray,
  cutoffs: np.ndarray,
  depth: int,
) -> Ranking:
  """Ranks the database for each query by (distance, database row), exactly.

  Args:
    distances: (B, N), B below 65,536; equal ones form a tie group.
    relevant: (B, N) bool.
    cutoffs: (B,) the distance of the `depth`-th nearest video.
    depth: places wanted, 1 to N.
  """
  # All within the cutoff, so that the last tie group is whole.
  chosen = np.flatnonzero(distances <= cutoffs[:, None])
  # uint16, because numpy's stable sort of it is a radix sort.
  queries = (chosen // distances.shape[1]).astype(np.uint16)
  near = distances.ravel()[chosen]
  order = np.lexsort((near, queries))
  queries, near = queries[order], near[order]
  hits = relevant.ravel()[chosen[order]]
  hits_before = np.concatenate([[0], np.cumsum(hits)])

  opens = (queries[1:] != queries[:-1]) | (near[1:] != near[:-1])
  bounds = np.concatenate([[0], np.flatnonzero(opens) + 1, [len(near)]])
  group = np.concatenate([[0], np.cumsum(opens)])

  first = np.searchsorted(
    queries, np.arange(len(distances), dtype=np.uint16)
  ).reshape(-1, 1)
  places = first + np.arange(depth)
  start, end = bounds[group[places]], bounds[group[places] + 1]
  return Ranking(
    relevant=hits[places],
    group_start=start - first,
    group_size=end - start,
    group_relevant=hits_before[end] - hits_before[start],
    relevant_before=hits_before[start] - hits_before[first],
    num_relevant=np.count_nonzero(relevant, axis=1),
  )
