"""The smoothed graph against dense float64 NumPy."""

import dense_graphs as graphs
import numpy as np
import pytest

from nph_jax.neighborhood import smoothed_graph

N, K = 70, 4


@pytest.fixture(scope='module')
def features():
  rng = np.random.default_rng(0)
  centres = rng.standard_normal((5, 6))
  rows = centres[np.arange(N) % 5] + rng.standard_normal((N, 6))
  return (rows * rng.uniform(0.1, 9, (N, 1))).astype(np.float32)


def nearest_by_sorting(features):
  return graphs.nearest_others(graphs.cosines(features), K)


@pytest.mark.parametrize('block', [16, 4096])
def test_neighbours_are_those_of_brute_force(features, monkeypatch, block):
  monkeypatch.setattr(smoothed_graph, '_QUERY_BLOCK', block)
  before = features.copy()
  found = smoothed_graph.nearest_by_cosine(features, K)
  np.testing.assert_array_equal(found, nearest_by_sorting(features))
  np.testing.assert_array_equal(features, before)


def test_no_video_is_its_own_neighbour_even_among_copies():
  copies = np.ones((12, 3), np.float32)
  copies[3] = 0
  found = smoothed_graph.nearest_by_cosine(copies, 5)
  assert found.shape == (12, 5)
  assert (found != np.arange(12)[:, None]).all()
  assert all(len(set(row)) == 5 for row in found)


def test_graph_is_the_dense_one(features):
  nearest = nearest_by_sorting(features)
  graph = smoothed_graph.normalized(nearest)
  np.testing.assert_allclose(
    graph.toarray(), graphs.smoothed(nearest)[0], atol=1e-7
  )


def test_quadratic_form_in_blocks(features, monkeypatch):
  monkeypatch.setattr(smoothed_graph, '_COLUMN_BLOCK', 4)
  monkeypatch.setattr(smoothed_graph, '_ROW_BLOCK', 32)
  nearest = nearest_by_sorting(features)
  found = smoothed_graph.quadratic_form(
    smoothed_graph.normalized(nearest), features
  )
  x = features.astype(np.float64)
  expected = x.T @ graphs.smoothed(nearest)[1] @ x
  scale = np.abs(expected).max()
  np.testing.assert_allclose(found, expected, atol=1e-6 * scale)
  np.testing.assert_array_equal(found, found.T)


def test_no_dense_array_grows_with_the_square_of_the_videos():
  """20,000 videos: N x N float32 would take 1,600 MB."""
  import tracemalloc

  rng = np.random.default_rng(0)
  count = 20_000
  nearest = (np.arange(count)[:, None] + rng.integers(1, count, 10)) % count
  x = rng.standard_normal((count, 64)).astype(np.float32)
  tracemalloc.start()
  graph = smoothed_graph.normalized(nearest)
  smoothed_graph.quadratic_form(graph, x)
  peak = tracemalloc.get_traced_memory()[1]
  tracemalloc.stop()
  assert peak < 100 << 20
