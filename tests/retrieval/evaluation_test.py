"""The blocked evaluator against dense references written from the text."""

import dataclasses

import numpy as np
import pytest

from nph_jax.retrieval import evaluation, hamming, metrics, scoring

KS = (1, 3, 10, 40)


@dataclasses.dataclass
class Case:
  query_codes: np.ndarray
  query_labels: np.ndarray
  database_codes: np.ndarray
  database_labels: np.ndarray

  @property
  def arguments(self):
    return dataclasses.astuple(self)


def random_labels(rng, num_videos, num_labels=5):
  """Multi-hot, a tenth of the videos without any."""
  labels = rng.random((num_videos, num_labels)) < 0.3
  return (labels & (rng.random((num_videos, 1)) > 0.1)).astype(np.uint8)


def random_case(seed, num_bits, num_queries=23, num_videos=40):
  rng = np.random.default_rng(seed)
  centers = rng.integers(0, 256, (6, num_bits // 8), dtype=np.uint8)

  def codes(number):
    noise = np.packbits(rng.random((number, num_bits)) < 0.1, axis=1)
    return centers[rng.integers(0, 6, number)] ^ noise

  return Case(
    codes(num_queries),
    random_labels(rng, num_queries),
    codes(num_videos),
    random_labels(rng, num_videos),
  )


def self_case(seed, num_bits):
  """The query is its own database; every third row is not searched for."""
  case = random_case(seed, num_bits)
  case.query_codes, case.query_labels = (
    case.database_codes,
    case.database_labels,
  )
  rows = np.arange(len(case.query_codes))
  return case, np.where(rows % 3 == 2, -1, rows)


def dense_distances(queries, database):
  """(Q, N) float64, by the inner product of codes in {-1, +1}."""
  queries, database = (
    hamming.unpack_codes(codes).astype(np.float64)
    for codes in (queries, database)
  )
  return (queries.shape[1] - queries @ database.T) / 2


def dense_gains(distances, relevant, ties):
  """E[P(i) I(i)] of one query's places, from the pairs of places."""
  order = np.argsort(distances, kind='stable')
  distances, relevant = distances[order], relevant[order].astype(float)
  same = distances[:, None] == distances
  both = np.outer(relevant, relevant)
  if ties == 'expected':
    n, r = same.sum(1), same @ relevant
    both = np.outer(r / n, r / n)
    both[same] = (r * (r - 1) / np.maximum(n * (n - 1), 1) * same)[same]
    np.fill_diagonal(both, r / n)
  return np.tril(both).sum(1) / np.arange(1, len(order) + 1)


def dense_map(distances, relevant, k, protocol):
  values = []
  for row, shares in zip(distances, relevant):
    total = dense_gains(row, shares, protocol.ties)[:k].sum()
    divisor = k if protocol.denominator == 'k' else min(shares.sum(), k)
    values.append(total / divisor if divisor else 0.0)
  return np.mean(values)


def dense_pr(distances, relevant, num_bits):
  """Rows (precision, recall) by radius, one query at a time."""
  curve = []
  for radius in range(num_bits + 1):
    precisions, recalls = [], []
    for row, shares in zip(distances, relevant):
      near = row <= radius
      precisions.append((near & shares).sum() / near.sum() if near.any() else 0)
      if shares.any():
        recalls.append((near & shares).sum() / shares.sum())
    curve.append((np.mean(precisions), np.mean(recalls)))
  return curve


def check_against_dense(
  got, distances, relevant, exclude_self, ranking='hamming'
):
  for row in got.map:
    if (row['ranking'], row['exclude_self']) == (ranking, exclude_self):
      protocol = metrics.Protocol(
        ranking, row['denominator'], row['ties'], exclude_self
      )
      expected = dense_map(distances, relevant, row['k'], protocol)
      assert row['value'] == pytest.approx(expected, abs=1e-12), row


def without_self(distances, relevant, self_rows):
  """One row shorter where self is known; as long as before elsewhere."""
  distances, relevant = distances.copy(), relevant.copy()
  known = np.flatnonzero(self_rows >= 0)
  distances[known, self_rows[known]] = 1e9
  relevant[known, self_rows[known]] = False
  return distances, relevant


@pytest.mark.parametrize('num_bits', [8, 16, 24, 64, 128, 256])
def test_codes_score_as_the_dense_reference(num_bits):
  case = random_case(num_bits, num_bits)
  got = evaluation.evaluate_codes(*case.arguments, ks=KS)
  distances = dense_distances(case.query_codes, case.database_codes)
  relevant = case.query_labels @ case.database_labels.T > 0
  assert len(got.map) == 4 * len(KS)
  check_against_dense(got, distances, relevant, exclude_self=False)
  curve = [(row['precision'], row['recall']) for row in got.pr_curve]
  np.testing.assert_allclose(curve, dense_pr(distances, relevant, num_bits))
  assert [row['radius'] for row in got.pr_curve] == list(range(num_bits + 1))
  assert (got.num_queries, got.num_database) == (23, 40)
  assert got.queries_without_relevant == (relevant.sum(1) == 0).sum() > 0


@pytest.mark.parametrize('num_bits', [8, 24, 248])
def test_self_is_taken_out_where_it_is_known(num_bits):
  case, self_rows = self_case(num_bits, num_bits)
  got = evaluation.evaluate_codes(*case.arguments, ks=KS, self_rows=self_rows)
  distances = dense_distances(case.query_codes, case.database_codes)
  relevant = case.query_labels @ case.database_labels.T > 0
  assert len(got.map) == 8 * len(KS)
  check_against_dense(got, distances, relevant, exclude_self=False)
  distances, relevant = without_self(distances, relevant, self_rows)
  check_against_dense(got, distances, relevant, exclude_self=True)
  curve = [
    (row['precision'], row['recall'])
    for row in got.pr_curve
    if row['exclude_self']
  ]
  np.testing.assert_allclose(curve, dense_pr(distances, relevant, num_bits))
  assert got.queries_without_relevant == (relevant.sum(1) == 0).sum()


@pytest.mark.parametrize('self_rows', [None, np.full(23, -1)])
def test_unknown_self_gives_no_rows_without_self(self_rows):
  case = random_case(0, 16)
  got = evaluation.evaluate_codes(*case.arguments, self_rows=self_rows)
  assert not any(row['exclude_self'] for row in (*got.map, *got.pr_curve))


def published_map(case, k):
  """The computation of the field's published code, self match included.

  A float matrix of distances is argsorted along the database, relevance is a
  non-zero inner product of labels, and the sum is divided by K. Its sort is
  the default, unstable one; stable here, to be comparable.
  """
  distances = dense_distances(case.query_codes, case.database_codes).T
  order = np.argsort(distances, axis=0, kind='stable')
  total = 0.0
  for query in range(order.shape[1]):
    hits, precision = 0, 0.0
    for place in range(k):
      video = order[place, query]
      if np.dot(case.query_labels[query], case.database_labels[video]) != 0:
        hits += 1
        precision += hits / (place + 1)
    total += precision / k
  return total / order.shape[1]


def test_the_published_denominator_is_reproduced():
  case, self_rows = self_case(5, 16)
  got = evaluation.evaluate_codes(*case.arguments, self_rows=self_rows)
  published = {
    row['k']: row['value']
    for row in got.map
    if (row['denominator'], row['ties'], row['exclude_self'])
    == ('k', 'stable', False)
  }
  assert list(published) == [5, 10, 20, 40]
  for k, value in published.items():
    assert value == pytest.approx(published_map(case, k), abs=1e-12)


@pytest.mark.parametrize('pairs', [1, 7 * 40, 23 * 40 + 1])
@pytest.mark.parametrize('threads', [1, 3])
def test_neither_blocks_nor_threads_change_a_bit(monkeypatch, pairs, threads):
  case, self_rows = self_case(1, 16)
  relaxed = relaxed_of(case.query_codes, 0)
  known = {'query_relaxed': relaxed, 'self_rows': self_rows}
  before = evaluation.evaluate_codes(*case.arguments, **known)
  monkeypatch.setattr(scoring, '_BLOCK_PAIRS', pairs)
  monkeypatch.setattr(scoring, '_num_threads', lambda: threads)
  after = evaluation.evaluate_codes(*case.arguments, **known)
  assert before == after


def test_k_goes_up_to_the_size_of_the_database():
  case, self_rows = self_case(2, 8)
  got = evaluation.evaluate_codes(
    *case.arguments, ks=(39, 40, 41), self_rows=self_rows
  )
  assert sorted({row['k'] for row in got.map}) == [39, 40]
  relevant = case.query_labels @ case.database_labels.T > 0
  whole = without_self(
    dense_distances(case.query_codes, case.database_codes), relevant, self_rows
  )
  check_against_dense(got, *whole, exclude_self=True)


def test_a_database_smaller_than_any_k_still_has_its_curve():
  case = random_case(0, 8, num_videos=3)
  got = evaluation.evaluate_codes(*case.arguments, ks=(5,))
  assert got.map == []
  assert got.pr_curve[-1]['recall'] == 1


def test_when_nothing_is_relevant_all_is_zero():
  case = random_case(0, 8)
  case.query_labels = np.zeros_like(case.query_labels)
  got = evaluation.evaluate_codes(*case.arguments)
  assert {row['value'] for row in got.map} == {0.0}
  assert {row['recall'] for row in got.pr_curve} == {0.0}
  assert got.queries_without_relevant == got.num_queries


def relaxed_of(codes, seed, whole=False):
  """t of the codes; whole numbers make many values of t . b equal."""
  rng = np.random.default_rng(seed)
  signs = hamming.unpack_codes(codes)
  if whole:
    return (signs * rng.integers(1, 4, signs.shape)).astype(np.float32)
  return (signs * np.abs(rng.normal(size=signs.shape))).astype(np.float32)


@pytest.mark.parametrize('whole', [False, True])
@pytest.mark.parametrize('num_bits', [8, 24, 64, 256])
def test_t_of_the_query_ranks_as_the_dense_reference(num_bits, whole):
  case, self_rows = self_case(num_bits, num_bits)
  relaxed = relaxed_of(case.query_codes, num_bits, whole)
  got = evaluation.evaluate_codes(
    *case.arguments, ks=KS, query_relaxed=relaxed, self_rows=self_rows
  )
  alone = evaluation.evaluate_codes(*case.arguments, ks=KS, self_rows=self_rows)
  assert got.map[: len(alone.map)] == alone.map
  assert got.pr_curve == alone.pr_curve
  assert got.queries_without_relevant == alone.queries_without_relevant
  assert len(got.map) == 2 * len(alone.map)
  bits = hamming.unpack_codes(case.database_codes).astype(np.float64)
  # Rounded: the sums of 24 bits of float32 may differ in float64's last digit.
  distances = -np.round(relaxed.astype(np.float64) @ bits.T, 9)
  relevant = case.query_labels @ case.database_labels.T > 0
  check_against_dense(got, distances, relevant, False, 'asymmetric')
  distances, relevant = without_self(distances, relevant, self_rows)
  check_against_dense(got, distances, relevant, True, 'asymmetric')


def test_t_breaks_the_ties_of_the_codes_and_not_those_of_equal_sums():
  query = np.packbits([[1] * 8], axis=1)
  relaxed = np.array([[0.1, 0.2, 0.3, 0.4, 0.5, 0.5, 0.5, 0.5]])
  # At distance 1, nearer the less sure the bit is; and .1 + .2 against .3.
  wrong = [[2], [0], [0, 1], [2]]
  database = np.ones((4, 8), np.uint8)
  for row, places in enumerate(wrong):
    database[row, places] = 0
  labels = np.array([[0], [1], [1], [0]], np.uint8)
  got = evaluation.evaluate_codes(
    query,
    labels[1:2],
    np.packbits(database, axis=1),
    labels,
    query_relaxed=relaxed,
    ks=(1, 2),
  )
  values = {
    (row['ranking'], row['k']): row['value']
    for row in got.map
    if (row['denominator'], row['ties']) == ('k', 'expected')
  }
  # One relevant of the three at distance 1; then also one of the three tied
  # behind the first.
  assert values['hamming', 1] == pytest.approx(1 / 3)
  assert values['asymmetric', 1] == 1
  assert values['asymmetric', 2] == pytest.approx((1 + 1 / 3) / 2)


def test_a_query_whose_t_is_zero_ties_with_all():
  case = random_case(0, 8, num_queries=1)
  got = evaluation.evaluate_codes(
    *case.arguments, ks=(1,), query_relaxed=np.zeros((1, 8))
  )
  relevant = case.query_labels @ case.database_labels.T > 0
  check_against_dense(got, np.zeros((1, 40)), relevant, False, 'asymmetric')


def as_vectors(case):
  vectors = dataclasses.replace(case)
  vectors.query_codes = hamming.unpack_codes(case.query_codes)
  vectors.database_codes = hamming.unpack_codes(case.database_codes)
  return vectors


@pytest.mark.parametrize('num_bits', [8, 24, 64, 128])
def test_cosine_of_signs_scores_as_hamming(num_bits):
  case, self_rows = self_case(num_bits, num_bits)
  codes = evaluation.evaluate_codes(*case.arguments, self_rows=self_rows)
  vectors = evaluation.evaluate_vectors(
    *as_vectors(case).arguments, self_rows=self_rows
  )
  as_hamming = [{**row, 'ranking': 'hamming'} for row in vectors.map]
  assert as_hamming == codes.map
  assert vectors.pr_curve == []


def test_vectors_rank_by_cosine_whatever_their_length():
  database = np.array([[0.0, 9.0], [0.1, 0.0], [3.0, 3.1], [0.0, 0.0]])
  labels = np.array([[0], [1], [0], [0]], np.uint8)
  got = evaluation.evaluate_vectors(
    np.array([[5.0, 0.0]]), np.ones((1, 1)), database, labels, ks=(1, 2)
  )
  assert {
    row['value'] for row in got.map if row['denominator'] == 'min_rk'
  } == {1.0}


@pytest.mark.parametrize('pairs', [1, 5 * 40])
def test_equal_vectors_tie_in_every_block_size(monkeypatch, pairs):
  rng = np.random.default_rng(0)
  database = rng.normal(size=(20, 301)).astype(np.float32)
  database = np.concatenate([database, database * 2])
  queries = rng.normal(size=(9, 301)).astype(np.float32)
  labels = np.repeat([[1, 0], [0, 1]], 20, axis=0)
  query_labels = np.tile([[0, 1]], (9, 1))

  def score():
    return evaluation.evaluate_vectors(
      queries, query_labels, database, labels, ks=(1, 2)
    )

  before = score()
  values = {
    (row['k'], row['ties']): row['value']
    for row in before.map
    if row['denominator'] == 'k'
  }
  # Of each pair of equals the first is wrong and the second right.
  assert values[1, 'stable'] == 0
  assert values[1, 'expected'] == 0.5
  monkeypatch.setattr(scoring, '_BLOCK_PAIRS', pairs)
  assert score() == before


def test_what_cannot_be_scored_is_refused():
  case = random_case(0, 16)
  queries, query_labels, database, labels = case.arguments
  for bad in (
    (queries[:, :1], query_labels, database, labels),
    (queries[1:], query_labels, database, labels),
    (queries, query_labels[:, 1:], database, labels),
    (queries, query_labels, database, labels[1:]),
    (queries[:0], query_labels[:0], database, labels),
    (queries, query_labels, database[:0], labels[:0]),
  ):
    with pytest.raises(ValueError, match=r'do not fit|nothing to score'):
      evaluation.evaluate_codes(*bad)
  for bad, words in (
    (np.zeros((23, 8)), 't of shape'),
    (np.zeros((22, 16)), 't of shape'),
    (np.full((23, 16), np.inf), 'NaN or infinity'),
  ):
    with pytest.raises(ValueError, match=words):
      evaluation.evaluate_codes(*case.arguments, query_relaxed=bad)
  with pytest.raises(ValueError, match='NaN or infinity'):
    evaluation.evaluate_vectors(
      np.full(queries.shape, np.nan), query_labels, database, labels
    )
