"""Radius, filters and re-ranking against brute force."""

import index_cases
import numpy as np
import pytest
from index_cases import codes

from nph_jax.index import VideoIndex


@pytest.mark.parametrize('radius', [0, 2, 16])
def test_everything_within_a_radius(index, radius):
  found = index_cases.pairs(index.search(codes()[:6], None, radius=radius))
  distances, ids = index_cases.nearest(codes()[:6], codes(), range(90), 90)
  for result, near, video in zip(found, distances, ids):
    inside = near <= radius
    assert result == list(zip(near[inside].tolist(), video[inside].tolist()))
  few = index_cases.pairs(index.search(codes()[:6], 3, radius=radius))
  assert few == [result[:3] for result in found]


def test_a_radius_reaches_deeper_than_the_first_look(tmp_path):
  same = np.zeros((5000, 1), np.uint8)
  with VideoIndex.create(tmp_path / 'ix', 8, keep_relaxed=False) as index:
    index.add(same, None)
    (hits,) = index.search(same[:1], None, radius=0)
    assert [hit.id for hit in hits] == list(range(5000))


@pytest.mark.parametrize(
  ('where', 'keeps'),
  [
    ({'labels': 'cat'}, lambda video: video % 3 == 1),
    ({'labels': 'chien perdu'}, lambda video: video % 3 == 2),
    ({'labels': 'all', 'size': 3}, lambda v: v % 2 and v % 5 == 3),
    ({'size': '3'}, lambda video: video % 5 == 3),
    ({'path': 'videos/3.mp4'}, lambda video: video == 3),
    ({'duration': 0.75}, lambda video: video == 3),
    ({'path': 'videos'}, lambda video: False),
  ],
)
def test_filters_are_exact(index, where, keeps):
  ids = np.array([v for v in range(90) if keeps(v)], int)
  found = index_cases.pairs(index.search(codes()[:5], 8, where=where))
  distances, expected = index_cases.nearest(codes()[:5], codes()[ids], ids, 8)
  assert found == [
    list(zip(*map(np.ndarray.tolist, row))) for row in zip(distances, expected)
  ]


def test_re_ranking_orders_the_nearest_by_cosine(index):
  relaxed = index_cases.relaxed(codes())
  queries, query_codes = relaxed[:4] + 0.05, codes()[:4]
  found = index.search(query_codes, 5, rerank=30, relaxed=queries)
  _, near = index_cases.nearest(query_codes, codes(), range(90), 30)
  for hits, query, ids in zip(found, queries, near):
    cosines = relaxed[ids] @ query / np.linalg.norm(query)
    cosines /= np.linalg.norm(relaxed[ids], axis=1)
    best = np.argsort(-cosines)[:5]
    assert [hit.id for hit in hits] == ids[best].tolist()
    np.testing.assert_allclose([h.score for h in hits], cosines[best], 1e-5)
  # Fewer than k are not re-ranked alone: the k nearest are.
  (few,) = index.search(query_codes[:1], 5, rerank=1, relaxed=queries[:1])
  assert {hit.id for hit in few} == set(near[0, :5].tolist())


def test_equal_cosines_keep_distance_and_id(tmp_path):
  code = np.array([[0xF0], [0xF0], [0xF1]], np.uint8)
  with VideoIndex.create(tmp_path / 'ix', 8) as index:
    index.add(code[[2, 0, 1]], None, np.ones((3, 8)))
    (hits,) = index.search(code[:1], 3, rerank=3, relaxed=np.ones((1, 8)))
    assert index_cases.pairs([hits]) == [[(0, 1), (0, 2), (1, 0)]]
    assert [hit.score for hit in hits] == [1.0] * 3


def test_more_results_than_memory_holds_can_be_asked_for(index):
  assert len(index.search(codes(1), 10**15)[0]) == 90
  found = index.search(
    codes(1), 5, rerank=10**15, relaxed=index_cases.relaxed(codes(1))
  )
  assert len(found[0]) == 5
