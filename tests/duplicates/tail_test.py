"""The model of strangers' distances, where the truth is known."""

import numpy as np
import scipy.stats

from nph_jax.duplicates import tail

BITS, VIDEOS, PAIRS = 256, 3000, 500_000


def sampled(codes, rng):
  i, j = rng.integers(0, len(codes), (2, PAIRS))
  i, j = i[i != j], j[i != j]
  packed = np.packbits(codes, axis=1)
  return np.bitwise_count(packed[i] ^ packed[j]).sum(axis=1)


def test_false_pairs_of_an_exponential_tail_are_its_own():
  rng = np.random.default_rng(0)
  distances = 1 - rng.exponential(0.05, PAIRS)
  model = tail.fit(distances, VIDEOS)
  for wanted in (0.5, 100, 1000):
    radius = model.radius(wanted, VIDEOS)
    known = np.exp((radius - 1) / 0.05) * VIDEOS * (VIDEOS - 1) / 2
    assert wanted / 2 < known < 2 * wanted


def test_independent_bits_give_fewer_false_pairs_than_asked_for():
  rng = np.random.default_rng(0)
  model = tail.fit(sampled(rng.random((VIDEOS, BITS)) < 0.5, rng), VIDEOS)
  for wanted in (1, 100, 1000):
    radius = model.radius(wanted, VIDEOS)
    share = scipy.stats.binom.cdf(round(radius), BITS, 0.5)
    assert share * VIDEOS * (VIDEOS - 1) / 2 < 1.5 * wanted


def test_copies_in_the_sample_do_not_widen_the_radius():
  rng = np.random.default_rng(0)
  alone = rng.random((VIDEOS, BITS)) < 0.5
  copied = alone.copy()
  copied[:500] = copied[500:1000]
  radii = [
    tail.fit(sampled(codes, rng), VIDEOS).radius(0.5, VIDEOS)
    for codes in (alone, copied)
  ]
  assert abs(radii[0] - radii[1]) < 3


def test_videos_of_few_subjects_give_fewer_false_pairs_than_asked_for():
  rng = np.random.default_rng(0)
  axes = rng.standard_normal((40, BITS)) * np.linspace(1, 0.1, 40)[:, None]
  subjects = rng.standard_normal((30, 40)) / 2

  def codes(count):
    mixed = subjects[rng.integers(0, 30, count)]
    return (mixed + rng.standard_normal((count, 40))) @ axes > 0

  model = tail.fit(sampled(codes(VIDEOS), rng), VIDEOS)
  radius = model.radius(1000, VIDEOS)
  share = np.mean(sampled(codes(2 * VIDEOS), rng) <= radius)
  known = share * VIDEOS * (VIDEOS - 1) / 2
  assert 100 < known < 1300


def test_radius_and_false_pairs_are_inverse_and_grow_together():
  model = tail.Tail(1.0, 0.02)
  radii = [model.radius(x, 500) for x in (0.01, 0.5, 20)]
  assert radii == sorted(radii)
  np.testing.assert_allclose(
    [model.false_pairs(x, 500) for x in radii], (0.01, 0.5, 20)
  )
  assert model.radius(0.5, 50_000) < model.radius(0.5, 500)
  assert tail.Tail(1.0, 0.0).false_pairs(0.9, 500) == 0
