"""Graphs of nearest neighbours as dense float64 matrices."""

import numpy as np


def cosines(x):
  x = x.astype(np.float64)
  unit = x / np.linalg.norm(x, axis=1, keepdims=True)
  return unit @ unit.T


def nearest_others(affinity, k):
  """Rows of the k largest but for the diagonal, [N, k]."""
  affinity = affinity.copy()
  np.fill_diagonal(affinity, -np.inf)
  return np.argsort(-affinity, axis=1)[:, :k]


def edges(nearest):
  """1 where either is among the other's nearest, [N, N]."""
  directed = np.zeros((len(nearest),) * 2)
  directed[np.arange(len(nearest))[:, None], nearest] = 1
  return np.maximum(directed, directed.T)


def smoothed(nearest):
  """A and S of nph_jax.neighborhood.smoothed_graph, by definition."""
  graph = edges(nearest)
  scale = np.diag(graph.sum(axis=1) ** -0.5)
  a = scale @ graph @ scale
  return a, (a @ a + a) / 2
