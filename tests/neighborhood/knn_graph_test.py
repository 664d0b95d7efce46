"""SSVH's graph against loops over videos."""

import dense_graphs as graphs
import numpy as np
import pytest

from nph_jax.neighborhood import knn_graph


def features(count=60, width=6, seed=0):
  rng = np.random.default_rng(seed)
  centres = rng.normal(size=(5, width))
  rows = centres[rng.integers(0, 5, count)] + rng.normal(size=(count, width))
  return rows.astype(np.float32)


def nearest_by_sorting(x, num_nearest):
  order = np.argsort(-graphs.cosines(x), axis=1, kind='stable')
  return order[:, :num_nearest]


def graph_by_loops(nearest, num_sets):
  sets = [set(row) for row in nearest]
  graph = np.zeros((len(sets), len(sets)), bool)
  for i, own in enumerate(sets):
    order = sorted(range(len(sets)), key=lambda j: (-len(own & sets[j]), j))
    for j in order[:num_sets]:
      if own & sets[j]:
        graph[i, list(sets[j])] = True
  return graph | graph.T


def dense(starts, columns):
  graph = np.zeros((len(starts) - 1,) * 2, bool)
  for i in range(len(graph)):
    row = columns[starts[i] : starts[i + 1]]
    assert (np.diff(row) > 0).all()
    graph[i, row] = True
  return graph


def test_nearest_by_cosine_whatever_the_length():
  x = features()
  expected = nearest_by_sorting(x, 4)
  np.testing.assert_array_equal(expected[:, 0], np.arange(len(x)))
  scaled = x * np.random.default_rng(1).uniform(0.1, 9, (len(x), 1))
  found = knn_graph.nearest_by_cosine(scaled.astype(np.float32), 4)
  np.testing.assert_array_equal(found, expected)


def test_a_video_of_zeros_has_neighbours():
  x = features()
  x[7] = 0
  assert np.isfinite(knn_graph.nearest_by_cosine(x)).all()


def test_fewer_videos_than_neighbours():
  assert knn_graph.nearest_by_cosine(features(6)).shape == (6, 6)


@pytest.mark.parametrize('num_nearest, num_sets', [(4, 2), (10, 5), (3, 50)])
@pytest.mark.parametrize('block', [7, 4096])
def test_union_graph(monkeypatch, num_nearest, num_sets, block):
  monkeypatch.setattr(knn_graph, '_BLOCK_SIZE', block)
  nearest = nearest_by_sorting(features(), num_nearest)
  found = dense(*knn_graph.union_graph(nearest, num_sets))
  np.testing.assert_array_equal(found, graph_by_loops(nearest, num_sets))
  assert (found == found.T).all()


def test_disjoint_groups_stay_apart():
  nearest = np.array([[0, 1, 2], [1, 0, 2], [2, 1, 0], [3, 4, 5], [4, 3, 5],
                      [5, 4, 3]])  # fmt: skip
  found = dense(*knn_graph.union_graph(nearest, num_sets=5))
  np.testing.assert_array_equal(found, np.kron(np.eye(2), np.ones((3, 3))))
