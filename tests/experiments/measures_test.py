"""What is measured of codes, against direct computations."""

import itertools

import numpy as np

from experiments import measures
from nph_jax.stages import evaluating


def curve(num_bits):
  return [
    {
      'radius': r,
      'precision': 1 - r / 100,
      'recall': r / num_bits,
      'exclude_self': exclude,
    }
    for exclude in (False, True)
    for r in range(num_bits + 1)
  ]


def test_a_thinned_curve_keeps_both_ends_and_even_steps():
  for num_bits in (8, 16, 64, 72):
    thin = measures.thinned(curve(num_bits))
    radius = thin['radius']
    assert radius[0] == 0 and radius[-1] == num_bits
    assert len(radius) <= 38
    assert len(set(np.diff(radius)[:-1])) == 1
    expected = [r / num_bits for r in radius]
    np.testing.assert_allclose(thin['recall'], expected, atol=1e-5)
    assert len(thin['precision']) == len(radius)
  assert measures.thinned([]) == {'radius': [], 'precision': [], 'recall': []}


def test_bit_statistics():
  rng = np.random.default_rng(0)
  bits = rng.random((500, 16)) < rng.random(16)
  bits[:, 3] = True  # constant
  bits[:, 5] = ~bits[:, 4]
  found = measures.bit_statistics(np.packbits(bits, axis=1))
  entropies, correlations = [], []
  for column in bits.T:
    p = column.mean()
    terms = [x * np.log2(x) for x in (p, 1 - p) if x > 0]
    entropies.append(-sum(terms))
  for a, b in itertools.combinations(bits.T.astype(float), 2):
    if a.std() and b.std():
      product = ((a - a.mean()) * (b - b.mean())).mean()
      correlations.append(abs(product / (a.std() * b.std())))
  assert abs(found['bit_entropy'] - np.mean(entropies)) < 1e-4
  assert abs(found['bit_correlation'] - np.mean(correlations)) < 1e-4
  assert found['distinct_codes'] == len({row.tobytes() for row in bits})


def test_constant_codes_have_no_entropy():
  found = measures.bit_statistics(np.zeros((9, 2), np.uint8))
  assert found == {
    'bit_entropy': 0.0,
    'bit_correlation': 0.0,
    'distinct_codes': 1,
  }


def encoded(num_videos, seed):
  rng = np.random.default_rng(seed)
  labels = np.eye(3, dtype=np.uint8)[rng.integers(0, 3, num_videos)]
  relaxed = labels @ rng.normal(size=(3, 16)) + rng.normal(
    0, 0.5, (num_videos, 16)
  )
  codes = np.packbits(relaxed >= 0, axis=1)
  return evaluating.EncodedSplit(codes, relaxed, labels, np.arange(num_videos))


def test_of_codes_holds_every_protocol_and_k():
  found = measures.of_codes(
    encoded(9, 0), encoded(40, 1), np.full(9, -1), (5, 20)
  )
  names = {
    f'{denominator},{ties}'
    for denominator in ('min_rk', 'k')
    for ties in ('stable', 'expected')
  }
  assert set(found['map']) == names
  assert all(set(row) == {'5', '20'} for row in found['map'].values())
  together = found['map_all_against_all']
  assert set(together) == {f'{name},exclude_self' for name in names}
  for part in ('map_relaxed', 'map_asymmetric'):
    assert set(found[part]) == {'min_rk,expected', 'k,expected'}
    assert found[part] != found['map']


def test_all_against_all_is_for_small_sets_of_other_queries():
  query, database = encoded(9, 0), encoded(40, 1)
  inside = measures.of_codes(query, query, np.arange(9), (5,))
  assert not inside['map_all_against_all']
  assert 'min_rk,expected,exclude_self' in inside['map']
  large = encoded(1200, 2)
  found = measures.of_codes(large, database, np.full(1200, -1), (5,))
  assert not found['map_all_against_all']


def test_random_codes_rank_at_chance():
  labels = np.eye(4, dtype=np.uint8)
  query, database = labels[np.arange(80) % 4], labels[np.arange(400) % 4]
  found = measures.of_random_codes(32, query, database, (100,), 0)
  # A hit in four; AP@100 is near the mean of P(i) I(i).
  assert abs(found['map']['k,expected']['100'] - 0.25**2) < 0.02
