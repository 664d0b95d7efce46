"""Anchors: K-means centres of the videos' features, and each video's nearest.

Paper 3.1 (end) and 4.1: n = 2000 centres of y (N, D) after 10 iterations, and
the a = 3 of them nearest to a video in l2. `features` may be an array, a
memmap or an open h5py dataset: it is read in blocks of rows, never whole.
"""

from __future__ import annotations

import math
from collections.abc import Iterator

import jax
import jax.numpy as jnp
import numpy as np

from nph_jax import errors
from nph_jax.neighborhood import anchor_graph

BLOCK_SIZE = 4096  # rows at once: 32 MiB of distances to 2000 anchors
_MAX_RUNS = 6  # K-means runs that choose_num_anchors may spend
_CLOSE_ENOUGH = 0.03  # relative distance from the target density
_NO_PAIRS = 1e-12  # stands for a density of 0, which has no logarithm


def _squared_distances(y: jax.Array, anchors: jax.Array) -> jax.Array:
  """Returns |y - u|^2 - |y|^2, (B, C): it ranks the anchors of one video."""
  # HIGHEST: the default product of a GPU keeps 10 bits, which reorders anchors.
  products = jnp.matmul(y, anchors.T, precision=jax.lax.Precision.HIGHEST)
  return jnp.sum(anchors * anchors, axis=1)[None, :] - 2 * products


def nearest_anchors_jnp(
  y: jax.Array, anchors: jax.Array, num_nearest: int
) -> jax.Array:
  """Returns the nearest anchors of y (B, D) among (C, D), <i> of eq. 13.

  Returns:
    (B, A) int32, nearest first in l2, equal distances by the lower index.
  """
  distances = _squared_distances(y, anchors)
  return jax.lax.top_k(-distances, num_nearest)[1].astype(jnp.int32)


def nearest_margin(
  y: jax.Array, anchors: jax.Array, num_nearest: int
) -> jax.Array:
  """How far y (B, D) is from another result of `nearest_anchors_jnp`, (B,).

  With y changed by less than this part of its length, the same anchors are
  nearest, in the same order: |y + e - u|^2 - |y + e - v|^2 differs from the
  value at y by 2 e . (v - u), at most 4 |e| max |u|.
  """
  count = min(num_nearest + 1, len(anchors))
  found = jax.lax.top_k(-_squared_distances(y, anchors), count)[0]
  gap = jnp.min(found[:, :-1] - found[:, 1:], axis=1, initial=jnp.inf)
  longest = jnp.max(jnp.linalg.norm(anchors, axis=1))
  reach = 4 * longest * jnp.linalg.norm(y, axis=1)
  return gap / jnp.maximum(reach, jnp.finfo(y.dtype).tiny)


_nearest = jax.jit(nearest_anchors_jnp, static_argnums=2)


@jax.jit
def _assign(y: jax.Array, anchors: jax.Array) -> tuple[jax.Array, jax.Array]:
  """Returns the nearest anchor (B,) and the squared distance to it (B,)."""
  distances = _squared_distances(y, anchors)
  # The first minimum is the lower index.
  return jnp.argmin(distances, axis=1), jnp.min(distances, axis=1) + jnp.sum(
    y * y, axis=1
  )


def _blocks(features: np.ndarray) -> Iterator[tuple[int, int, np.ndarray]]:
  """Yields (start, stop, rows), rows always of one shape: one compilation.

  Raises:
    UserError: NaN or infinity.
  """
  num_videos = len(features)
  block_size = min(BLOCK_SIZE, num_videos)
  for start in range(0, num_videos, block_size):
    stop = min(start + block_size, num_videos)
    rows = np.asarray(features[start:stop], np.float32)
    bad = np.flatnonzero(~np.isfinite(rows).all(axis=1))
    if bad.size:
      raise errors.UserError(
        f'the spatio-temporal feature of video {start + bad[0]} is NaN or '
        'infinite; check the input features and the autoencoder.'
      )
    yield start, stop, np.pad(rows, ((0, block_size - len(rows)), (0, 0)))


def nearest_anchors(
  features: np.ndarray, anchors: np.ndarray, num_nearest: int
) -> np.ndarray:
  """Returns the indices (N, A) int32 of every video's nearest anchors.

  Args:
    features: (N, D), read BLOCK_SIZE rows at a time.
    anchors: (C, D).
    num_nearest: A, the paper's a.

  Raises:
    UserError: A above C, features and anchors of different widths, or values
      that are not finite.
  """
  if num_nearest > len(anchors):
    raise errors.UserError(
      f'{num_nearest} nearest anchors were asked for, but there are only '
      f'{len(anchors)} anchors; lower the number of nearest anchors.'
    )
  if features.shape[1] != anchors.shape[1]:
    raise errors.UserError(
      f'the features have width {features.shape[1]}, but the anchors have '
      f'width {anchors.shape[1]}; both must come from the same autoencoder.'
    )
  anchors = jnp.asarray(anchors, jnp.float32)
  indices = np.empty((len(features), num_nearest), np.int32)
  for start, stop, rows in _blocks(features):
    indices[start:stop] = _nearest(rows, anchors, num_nearest)[: stop - start]
  return indices


def _sum_by_cluster(
  rows: np.ndarray, clusters: np.ndarray, sums: np.ndarray
) -> None:
  """Adds each of rows (B, D) to the row of sums (C, D) its cluster names.

  On the host, in float64 and in a fixed order: a device's scatter-add or a
  threaded product adds in the order in which its threads finish, so the same
  seed would give other anchors on the next run; so it is with scikit-learn's
  KMeans on eight threads. In float64 the sum of float32 values is near exact,
  which makes it the same on every platform.
  """
  order = np.argsort(clusters, kind='stable')
  present, starts = np.unique(clusters[order], return_index=True)
  sums[present] += np.add.reduceat(
    rows[order], starts, axis=0, dtype=np.float64
  )


def _refill(
  centres: np.ndarray,
  empty: np.ndarray,
  features: np.ndarray,
  distances: np.ndarray,
) -> None:
  """Moves the empty centres to the videos farthest from theirs, in place.

  Equal distances go by the lower index; a video that lies on a centre is passed
  over, so all C centres differ as long as there are C different videos.
  """
  is_empty = np.isin(np.arange(len(centres)), empty)
  taken = {centre.tobytes() for centre in centres[~is_empty]}
  waiting = iter(empty)
  target = next(waiting)
  for video in np.argsort(-distances, kind='stable'):
    # + 0.0 turns -0.0 into 0.0, so that equal values have equal bytes.
    candidate = np.asarray(features[int(video)], np.float32) + 0.0
    if candidate.tobytes() in taken:
      continue
    taken.add(candidate.tobytes())
    centres[target] = candidate
    target = next(waiting, None)
    if target is None:
      return


def _iterate(features: np.ndarray, centres: np.ndarray) -> np.ndarray:
  """Returns the centres (C, D) after one assignment and one update."""
  on_device = jnp.asarray(centres)
  sums = np.zeros(centres.shape, np.float64)
  counts = np.zeros(len(centres), np.int64)
  distances = np.empty(len(features), np.float32)
  for start, stop, rows in _blocks(features):
    assigned, squared = jax.device_get(_assign(rows, on_device))
    assigned = assigned[: stop - start]
    distances[start:stop] = squared[: stop - start]
    counts += np.bincount(assigned, minlength=len(centres))
    _sum_by_cluster(rows[: stop - start], assigned, sums)
  updated = centres.copy()
  filled = counts > 0
  updated[filled] = sums[filled] / counts[filled, None]
  if not filled.all():
    _refill(updated, np.flatnonzero(~filled), features, distances)
  return updated


def fit_anchors(
  features: np.ndarray,
  num_anchors: int,
  *,
  num_iterations: int = 10,
  seed: int,
  start: np.ndarray | None = None,
) -> np.ndarray:
  """Returns the anchors: K-means centres of the features (paper 3.1, 4.1).

  Lloyd's iterations from `num_anchors` different random videos, one start.
  Empty centres move to the videos farthest from theirs.

  Args:
    features: (N, D), float32.
    num_anchors: C, the paper's n.
    num_iterations: assignments and updates, exactly so many.
    seed: of the starting videos.
    start: centres (C, D) to begin at instead.

  Returns:
    (C, D) float32.

  Raises:
    UserError: more anchors than videos, or values that are not finite.
  """
  if num_anchors > len(features):
    raise errors.UserError(
      f'{num_anchors} anchors were asked for, but there are only '
      f'{len(features)} training videos; lower the number of anchors.'
    )
  chosen = np.random.default_rng(seed).choice(
    len(features), num_anchors, replace=False
  )
  # Sorted: h5py takes its rows in rising order only.
  first = features[np.sort(chosen)] if start is None else start
  centres = np.asarray(first, np.float32)
  for _ in range(num_iterations):
    centres = _iterate(features, centres)
  return centres


def _next_guess(tried: dict[int, float], target: float) -> int:
  """Returns where a line through log density over log n meets the target.

  The line goes through the two tries nearest the target; if it leads out of the
  interval known to hold the target, the middle of that is returned instead.
  """
  ranked = sorted(tried, key=lambda n: abs(math.log(tried[n] / target)))
  best = ranked[0]
  slope = -1.0  # balanced clusters: density ~ 1/n
  if len(ranked) > 1:
    rise = math.log(tried[best] / tried[ranked[1]])
    slope = min(rise / math.log(best / ranked[1]), -0.25)
  guess = best * (target / tried[best]) ** (1 / slope)
  low = max((n for n in tried if tried[n] > target), default=None)
  high = min((n for n in tried if tried[n] <= target), default=None)
  if low and high and low < high and not low < guess < high:
    guess = math.sqrt(low * high)
  return round(guess)


def choose_num_anchors(
  features: np.ndarray,
  *,
  num_nearest: int = 1,
  target_density: float = 0.01,
  num_iterations: int = 10,
  seed: int,
) -> tuple[int, float]:
  """Returns the number of anchors that gives S the density asked for.

  For sets below some 10,000 videos: the paper's n = 2000 and a = 3 give FCVID
  0.8 %; scaled down with N they would make most pairs of a small set similar.
  At most six runs of K-means, with n from 2 to N / 2.

  Args:
    features: (N, D), float32.
    num_nearest: A, the paper's a.
    target_density: share of the ordered pairs of different videos that share
      an anchor.
    num_iterations: of each K-means.
    seed: of each K-means.

  Returns:
    (n, density): the n tried whose measured density is nearest the target.

  Raises:
    UserError: as fit_anchors and nearest_anchors.
  """
  smallest = max(2, num_nearest)
  largest = max(smallest, len(features) // 2)
  # Balanced clusters give a^2 / n; twice that n is start enough for large N.
  start = min(len(features) // 4, round(2 * num_nearest**2 / target_density))
  tried: dict[int, float] = {}
  guess = min(max(start, smallest), largest)
  while len(tried) < _MAX_RUNS and guess not in tried:
    anchors = fit_anchors(
      features, guess, num_iterations=num_iterations, seed=seed
    )
    indices = nearest_anchors(features, anchors, num_nearest)
    density = anchor_graph.graph_statistics(indices, guess).pair_density
    tried[guess] = max(density, _NO_PAIRS)
    if abs(density - target_density) <= _CLOSE_ENOUGH * target_density:
      break
    guess = min(max(_next_guess(tried, target_density), smallest), largest)
  return min(tried.items(), key=lambda item: abs(item[1] - target_density))
