"""The anchor graph: eq. 13-14 as written, and S from anchor indices alone.

A_ij > 0 exactly when videos i and j share an anchor, whatever the bandwidth, so
training takes S from the (N, A) indices and never builds N x N. The literal
matrices here are for small sets: definitions, tests, plots.
"""

from __future__ import annotations

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
import scipy.sparse

_BLOCK_ENTRIES = 1 << 23  # incidences multiplied at once: some 100 MiB


def truncated_similarity(
  features: np.ndarray,
  anchors: np.ndarray,
  anchor_indices: np.ndarray,
  bandwidth: float | None = None,
) -> np.ndarray:
  """Returns Y (N, C) of eq. 13 in float64; every row sums to 1.

  Args:
    features: y, (N, D).
    anchors: u, (C, D).
    anchor_indices: <i>, (N, A), nearest first.
    bandwidth: t > 0; the paper gives no value, the default is the mean distance
      to the a-th nearest anchor, as in AGH (reference [37]).
  """
  rows = np.arange(len(features))[:, None]
  nearest = np.asarray(anchors, np.float64)[anchor_indices]
  offsets = nearest - np.asarray(features, np.float64)[:, None]
  distances = np.linalg.norm(offsets, axis=-1)
  if bandwidth is None:
    # All videos on their anchors: any t gives the same Y, 0 alone does not.
    bandwidth = distances[:, -1].mean() or 1.0
  # Less the smallest distance, so that one exponential per row is 1: far from
  # all anchors they would otherwise all underflow, and 0 / 0 follow.
  shifted = distances - distances.min(axis=1, keepdims=True)
  weights = np.exp(-shifted / bandwidth)
  similarity = np.zeros((len(features), len(anchors)))
  similarity[rows, anchor_indices] = weights / weights.sum(1, keepdims=True)
  return similarity


def adjacency(similarity: np.ndarray) -> np.ndarray:
  """Returns A = Y Lambda^-1 Y^T (N, N), Lambda = diag(Y^T 1), of eq. 14.

  Rows and columns of A sum to 1. An anchor that no video uses has a column of
  zeros in Y and adds nothing.
  """
  totals = similarity.sum(axis=0)
  used = totals > 0
  return (similarity[:, used] / totals[used]) @ similarity[:, used].T


def similarity_from_adjacency(adjacency_matrix: np.ndarray) -> np.ndarray:
  """Returns S (N, N) float32: +1 where A_ij > 0, else -1 (under eq. 14)."""
  return np.where(adjacency_matrix > 0, 1, -1).astype(np.float32)


def pairwise_similarity(
  indices_rows: jax.Array, indices_cols: jax.Array
) -> jax.Array:
  """Returns the block of S between two lists of videos, from their anchors.

  Args:
    indices_rows: (B, A) anchor indices.
    indices_cols: (B2, A) anchor indices.

  Returns:
    (B, B2) float32: +1 where the two share at least one anchor, else -1.
  """
  equal = indices_rows[:, None, :, None] == indices_cols[None, :, None, :]
  return jnp.where(jnp.any(equal, axis=(2, 3)), 1.0, -1.0).astype(jnp.float32)


@dataclasses.dataclass(frozen=True)
class GraphStatistics:
  """How many neighbours S gives the videos; degrees count the video itself."""

  density: float  # share of the N x N entries of S that are +1
  pair_density: float  # the same, of the N (N - 1) pairs of different videos
  mean_degree: float
  median_degree: float
  p90_degree: float
  largest_anchor: int  # videos that have it among their nearest
  empty_anchors: int


def degrees(anchor_indices: np.ndarray, num_anchors: int) -> np.ndarray:
  """Returns the row sums of S > 0: (N,) int64, the video itself included.

  Exact; the memory is that of the indices and of one block of rows.
  """
  num_videos, num_nearest = anchor_indices.shape
  row_starts = np.arange(0, num_videos * num_nearest + 1, num_nearest)
  incidence = scipy.sparse.csr_array(
    (
      np.ones(anchor_indices.size, np.int32),
      anchor_indices.ravel(),
      row_starts,
    ),
    shape=(num_videos, num_anchors),
  )
  transposed = incidence.T.tocsr()
  sizes = np.bincount(anchor_indices.ravel(), minlength=num_anchors)
  entries = np.cumsum(sizes[anchor_indices].sum(axis=1))
  blocks = np.split(
    np.arange(num_videos),
    np.flatnonzero(np.diff(entries // _BLOCK_ENTRIES)) + 1,
  )
  counts = [
    np.diff((incidence[rows[0] : rows[-1] + 1] @ transposed).indptr)
    for rows in blocks
  ]
  return np.concatenate(counts).astype(np.int64)


def graph_statistics(
  anchor_indices: np.ndarray, num_anchors: int
) -> GraphStatistics:
  """Measures S of all videos from their anchor indices (N, A), N at least 2.

  Degrees and density include the video itself, as S_ii = 1 enters eq. 15.
  """
  degree = degrees(anchor_indices, num_anchors)
  sizes = np.bincount(anchor_indices.ravel(), minlength=num_anchors)
  num_videos = len(anchor_indices)
  return GraphStatistics(
    density=float(degree.mean() / num_videos),
    pair_density=float((degree.mean() - 1) / (num_videos - 1)),
    mean_degree=float(degree.mean()),
    median_degree=float(np.median(degree)),
    p90_degree=float(np.percentile(degree, 90)),
    largest_anchor=int(sizes.max()),
    empty_anchors=int((sizes == 0).sum()),
  )
