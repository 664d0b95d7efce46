"""Which videos belong together, by distances and codes of signatures."""

from __future__ import annotations

import concurrent.futures
import dataclasses
from collections.abc import Iterator

import numpy as np

from nph_jax.duplicates import distances as distances_lib
from nph_jax.duplicates import pairs, tail

# Of 625,000 pairs of real videos and copies of other scenes none came so near,
# the nearest .77; hence, at 95 %, fewer than 3 in so many do. A small library
# cannot know better.
WIDEST, _RATE = 0.75, 3 / 625_000
_FEW = 20  # videos, whose own distances tell nothing
_CANDIDATES = 20  # a video on average, that are worth a look at real values
_SAMPLED = 200  # videos, all pairs of which are a sample of those of all
_CHECKED = 1024  # pairs at a time
_SEED = 0


@dataclasses.dataclass(frozen=True)
class Radius:
  """How near is near enough.

  Attributes:
    distance: of `Distances`, at most.
    bits: Hamming distance up to which that is looked at.
    false_pairs: how many are expected within `distance`; None if not known.
  """

  distance: float
  bits: int
  false_pairs: float | None


def radius(
  distances: distances_lib.Distances,
  codes: np.ndarray,
  false_pairs: float,
  given: float | None = None,
) -> Radius:
  """The radius for a library, WIDEST at most unless it is given.

  Args:
    distances: of N videos.
    codes: uint8 [N, K / 8].
    false_pairs: that may be expected.
    given: the distance, if someone knows it.
  """
  count = len(codes)
  rows = np.random.default_rng(_SEED).permutation(count)[:_SAMPLED]
  i, j = (rows[x] for x in np.triu_indices(len(rows), 1))
  bits = np.bitwise_count(codes[i] ^ codes[j]).sum(axis=1)
  share = min(2 * _CANDIDATES / max(count - 1, 1), 1)
  widest = int(np.quantile(bits, share)) if len(i) else 8 * codes.shape[1]
  if given is not None:
    return Radius(given, widest, None)
  rare = _RATE * count * (count - 1) / 2
  if count < _FEW:
    return Radius(WIDEST, widest, rare)
  model = tail.fit(in_turns(distances, i, j), count)
  # Nothing is nearer than the same.
  found = min(max(model.radius(false_pairs, count), 0.0), WIDEST)
  expected = model.false_pairs(found, count)
  if found == WIDEST:
    expected = max(expected, min(rare, false_pairs))
  return Radius(found, widest, expected)


def near(
  distances: distances_lib.Distances, codes: np.ndarray, within: Radius
) -> Iterator[tuple[np.ndarray, np.ndarray, np.ndarray]]:
  """Yields rows i < j and distances of all pairs within the radius."""
  for i, j, _ in pairs.within(codes, within.bits):
    found = in_turns(distances, i, j)
    keep = found <= within.distance
    yield i[keep], j[keep], found[keep]


def in_turns(
  distances: distances_lib.Distances, i: np.ndarray, j: np.ndarray
) -> np.ndarray:
  """Distances of many pairs, a thousand in memory of each processor."""
  turns = range(0, len(i), _CHECKED)
  parts = [slice(start, start + _CHECKED) for start in turns]
  with concurrent.futures.ThreadPoolExecutor(pairs.num_threads()) as pool:
    found = pool.map(lambda part: distances.of(i[part], j[part]), parts)
    return np.concatenate([np.empty(0, np.float32), *found])


class Groups:
  """Videos that are joined, directly or by others (Tarjan, 1975)."""

  def __init__(self, count: int):
    self._parents = list(range(count))

  def join(self, i: int, j: int) -> None:
    """Puts two rows, and all that are with them, together."""
    i, j = self._root(i), self._root(j)
    self._parents[max(i, j)] = min(i, j)

  def all(self) -> list[list[int]]:
    """Groups of two or more, by their first row."""
    found: dict[int, list[int]] = {}
    for row in range(len(self._parents)):
      found.setdefault(self._root(row), []).append(row)
    return [rows for rows in found.values() if len(rows) > 1]

  def _root(self, row: int) -> int:
    parents = self._parents
    while parents[row] != row:
      parents[row] = row = parents[parents[row]]
    return row
