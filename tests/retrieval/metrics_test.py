"""AP@K and precision-recall by hand and against every order of the ties."""

import itertools

import numpy as np
import pytest

from nph_jax.retrieval import metrics


def ranked(distances, relevant, depth=None):
  distances, relevant = np.atleast_2d(distances), np.atleast_2d(relevant)
  depth = depth or distances.shape[1]
  cutoffs = np.sort(distances, axis=1)[:, depth - 1]
  return metrics.rank(distances, relevant.astype(bool), cutoffs, depth)


def average_precision(distances, relevant, ks, denominator, ties):
  return metrics.average_precision(
    ranked(distances, relevant, max(ks)),
    ks,
    metrics.Protocol('hamming', denominator, ties, exclude_self=False),
  )[0]


def plain_average_precision(relevant, k, denominator):
  """AP@K of one ranking by the words of the paper's section 4.1."""
  total = sum(sum(relevant[:i]) / i for i in range(1, k + 1) if relevant[i - 1])
  divisor = k if denominator == 'k' else min(sum(relevant), k)
  return total / divisor if divisor else 0.0


def all_orders(distances):
  """Every order of the database that a sort by distance may give."""
  groups = [np.flatnonzero(distances == d) for d in np.unique(distances)]
  for orders in itertools.product(*map(itertools.permutations, groups)):
    yield np.concatenate(orders).astype(int)


def test_average_precision_by_hand():
  # Ranks 1, 3 and 5 are relevant, of R = 4 in the database.
  distances = [0, 1, 2, 3, 4, 5, 6]
  relevant = [1, 0, 1, 0, 1, 0, 1]
  got = average_precision(distances, relevant, (1, 3, 5), 'min_rk', 'stable')
  top5 = 1 + 2 / 3 + 3 / 5
  np.testing.assert_allclose(got, [1, (1 + 2 / 3) / 3, top5 / 4])
  got = average_precision(distances, relevant, (1, 3, 5), 'k', 'stable')
  np.testing.assert_allclose(got, [1, (1 + 2 / 3) / 3, top5 / 5])


def test_stable_ties_stand_in_database_order():
  got = average_precision([3, 3, 5], [0, 1, 0], (1, 2), 'k', 'stable')
  np.testing.assert_allclose(got, [0, 1 / 4])


@pytest.mark.parametrize('ties', ['stable', 'expected'])
@pytest.mark.parametrize('denominator', ['min_rk', 'k'])
def test_without_relevant_videos_it_is_zero(denominator, ties):
  got = average_precision([1, 1, 2], [0, 0, 0], (1, 3), denominator, ties)
  np.testing.assert_array_equal(got, [0, 0])


@pytest.mark.parametrize('seed', range(12))
@pytest.mark.parametrize('denominator', ['min_rk', 'k'])
def test_expected_is_the_mean_over_every_order_of_the_ties(denominator, seed):
  rng = np.random.default_rng(seed)
  num_videos = int(rng.integers(2, 8))
  distances = rng.integers(0, 3, num_videos)
  relevant = rng.integers(0, 2, num_videos)
  ks = tuple(range(1, num_videos + 1))
  values = [
    [plain_average_precision(relevant[order], k, denominator) for k in ks]
    for order in all_orders(distances)
  ]
  got = average_precision(distances, relevant, ks, denominator, 'expected')
  np.testing.assert_allclose(got, np.mean(values, axis=0), atol=1e-12)


def test_rank_describes_the_tie_group_of_every_place():
  found = ranked([[2, 1, 2, 2, 9], [0, 0, 0, 0, 0]], [[1, 1, 0, 1, 0]] * 2, 3)
  np.testing.assert_array_equal(found.relevant, [[1, 1, 0], [1, 1, 0]])
  np.testing.assert_array_equal(found.group_start, [[0, 1, 1], [0, 0, 0]])
  np.testing.assert_array_equal(found.group_size, [[1, 3, 3], [5, 5, 5]])
  np.testing.assert_array_equal(found.group_relevant, [[1, 2, 2], [3, 3, 3]])
  np.testing.assert_array_equal(found.relevant_before, [[0, 1, 1], [0, 0, 0]])
  np.testing.assert_array_equal(found.num_relevant, [3, 3])


def test_precision_recall_by_hand():
  precision, recall = metrics.precision_recall(
    retrieved=np.array([[0, 2, 4], [1, 2, 4], [0, 1, 4]]),
    hits=np.array([[0, 1, 2], [1, 1, 1], [0, 0, 0]]),
    num_relevant=np.array([2, 1, 0]),
  )
  # Nothing retrieved: precision 0. Nothing relevant: no say in recall.
  np.testing.assert_allclose(precision, [1 / 3, 1 / 3, 1 / 4])
  np.testing.assert_allclose(recall, [1 / 2, 3 / 4, 1])


def test_recall_is_zero_when_no_query_has_relevant_videos():
  found = metrics.precision_recall(
    np.array([[1, 2]]), np.array([[0, 0]]), np.array([0])
  )
  np.testing.assert_array_equal(found, np.zeros((2, 2)))
