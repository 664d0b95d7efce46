"""Eq. 13-14 against NumPy, S from indices, and the published FCVID graph."""

from __future__ import annotations

import h5py
import jax
import numpy as np
import pytest

from nph_jax.neighborhood import anchor_graph, anchors


def _random_graph(num_videos=60, num_anchors=20, num_nearest=3, width=5):
  rng = np.random.default_rng(0)
  features = rng.standard_normal((num_videos, width)).astype('f4')
  centres = rng.standard_normal((num_anchors, width)).astype('f4')
  return (
    features,
    centres,
    anchors.nearest_anchors(features, centres, num_nearest),
  )


def _share_an_anchor(rows, cols):
  return np.array([[bool(set(i) & set(j)) for j in cols] for i in rows])


def test_truncated_similarity_by_hand():
  features = np.array([[0.0, 0.0]])
  centres = np.array([[3.0, 4.0], [0.0, 1.0], [9.0, 9.0], [2.0, 0.0]])
  found = anchor_graph.truncated_similarity(
    features, centres, np.array([[1, 3, 0]]), bandwidth=2.0
  )
  weights = np.exp([-5 / 2, -1 / 2, -np.inf, -2 / 2])
  np.testing.assert_allclose(found, [weights / weights.sum()], rtol=1e-12)


def test_default_bandwidth_is_the_mean_distance_to_the_last_anchor():
  features, centres, indices = _random_graph()
  last = np.linalg.norm(features - centres[indices[:, -1]], axis=1).mean()
  np.testing.assert_allclose(
    anchor_graph.truncated_similarity(features, centres, indices),
    anchor_graph.truncated_similarity(features, centres, indices, float(last)),
    rtol=1e-5,
  )


def test_no_underflow_far_from_all_anchors():
  features = np.array([[1e4], [0.0]])
  centres = np.array([[0.0], [1.0]])
  found = anchor_graph.truncated_similarity(
    features, centres, np.array([[1, 0], [0, 1]]), bandwidth=1.0
  )
  near = 1 / (1 + np.exp(-1))
  np.testing.assert_allclose(found, [[1 - near, near], [near, 1 - near]])


def test_videos_on_their_anchors():
  centres = np.eye(3)
  found = anchor_graph.truncated_similarity(
    centres, centres, np.arange(3)[:, None]
  )
  np.testing.assert_array_equal(found, np.eye(3))


def test_adjacency_rows_and_columns_sum_to_one():
  features, centres, indices = _random_graph(num_videos=30)
  # Two anchors far from everything: their columns of Y are empty.
  centres = np.concatenate([centres, np.full((2, 5), 1e3, 'f4')])
  similarity = anchor_graph.truncated_similarity(features, centres, indices)
  assert (similarity.sum(0) == 0).sum() >= 2
  found = anchor_graph.adjacency(similarity)
  np.testing.assert_allclose(found.sum(0), 1, rtol=1e-12)
  np.testing.assert_allclose(found.sum(1), 1, rtol=1e-12)
  np.testing.assert_allclose(found, found.T, rtol=1e-12)
  expected = np.zeros((30, 30))
  for i in range(30):
    for j in range(30):
      for c in set(indices[i]) & set(indices[j]):
        expected[i, j] += (
          similarity[i, c] * similarity[j, c] / (similarity[:, c].sum())
        )
  np.testing.assert_allclose(found, expected, rtol=1e-10)


@pytest.mark.parametrize('bandwidth', [None, 0.05, 100.0])
def test_similarity_from_indices_equals_the_literal_one(bandwidth):
  features, centres, indices = _random_graph()
  similarity = anchor_graph.truncated_similarity(
    features, centres, indices, bandwidth
  )
  literal = anchor_graph.similarity_from_adjacency(
    anchor_graph.adjacency(similarity)
  )
  for function in (
    anchor_graph.pairwise_similarity,
    jax.jit(anchor_graph.pairwise_similarity),
  ):
    found = function(indices, indices)
    assert found.dtype == np.float32
    np.testing.assert_array_equal(found, literal)
  assert set(np.unique(literal)) == {-1, 1}


def test_rectangular_block_of_similarity():
  indices = np.random.default_rng(1).integers(0, 9, (25, 2))
  found = anchor_graph.pairwise_similarity(indices[:5], indices[5:])
  expected = np.where(_share_an_anchor(indices[:5], indices[5:]), 1, -1)
  np.testing.assert_array_equal(found, expected)


@pytest.mark.parametrize('block_entries', [1, 50, 1 << 23])
def test_statistics_by_brute_force(monkeypatch, block_entries):
  monkeypatch.setattr(anchor_graph, '_BLOCK_ENTRIES', block_entries)
  _, _, indices = _random_graph(num_videos=90, num_anchors=40)
  indices = np.where(indices == 7, 8, indices)  # one anchor surely empty
  shared = _share_an_anchor(indices, indices)
  degrees = shared.sum(1)
  np.testing.assert_array_equal(anchor_graph.degrees(indices, 40), degrees)
  sizes = [int((indices == c).any(1).sum()) for c in range(40)]
  found = anchor_graph.graph_statistics(indices, 40)
  off_diagonal = shared[~np.eye(90, dtype=bool)]
  assert found.density == pytest.approx(shared.mean())
  assert found.pair_density == pytest.approx(off_diagonal.mean())
  assert found.mean_degree == pytest.approx(degrees.mean())
  assert found.median_degree == np.median(degrees)
  assert found.p90_degree == pytest.approx(np.percentile(degrees, 90))
  assert found.largest_anchor == max(sizes)
  assert found.empty_anchors == sizes.count(0) >= 1


def test_published_fcvid_facts(shared_data):
  with h5py.File(shared_data('fcvid_neighborhood') / 'train_assit.h5') as file:
    fcvid_indices = file['pos'][:]
  # The published facts (density 0.845 %, degrees 385 / 339 / 694) are those of
  # 2,000 rows drawn with seed 0, the video itself counted; all rows give less.
  num_videos = len(fcvid_indices)
  degrees = anchor_graph.degrees(fcvid_indices, 1949)
  sample = degrees[np.random.default_rng(0).integers(0, num_videos, 2000)]
  assert round(100 * sample.mean() / num_videos, 3) == 0.845
  assert round(sample.mean()) == 385
  assert round(np.median(sample)) == 339
  assert round(np.percentile(sample, 90)) == 694
  found = anchor_graph.graph_statistics(fcvid_indices, 1949)
  assert found.density == pytest.approx(0.00845, rel=0.015)
  assert found.density == pytest.approx(0.0083641, rel=1e-4)
  assert found.pair_density == pytest.approx(0.0083424, rel=1e-4)
  assert found.mean_degree == pytest.approx(381.279, abs=1e-3)
  assert (found.median_degree, found.p90_degree) == (334, 688)
  assert (found.largest_anchor, found.empty_anchors) == (512, 0)
