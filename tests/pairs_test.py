"""The pair term of L_s in its three readings."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from nph_jax import losses, pairs

N, B, K, C = 12, 5, 8, 6
RNG = np.random.default_rng(0)
ANCHORS = RNG.integers(0, C, (N, 2))
INDEX = RNG.permutation(N)[:B]
T = RNG.normal(size=(B, K)).astype(np.float32)
KEY = jax.random.key(0)


def shares(i, j):
  return 1 if set(ANCHORS[i]) & set(ANCHORS[j]) else -1


def run(choice, relaxed=T, index=INDEX, bank=None, key=KEY):
  bank = pairs.init_bank(choice, N, K) if bank is None else bank
  return pairs.similarity_loss(
    choice, relaxed, index, jnp.asarray(ANCHORS), bank, key, None
  )


def test_losses_of_arrays_by_hand():
  t = np.array([[1.0, 2.0], [0.0, -1.0]])
  s = np.array([[1.0, -1.0], [-1.0, 1.0]])
  # t t^T / 2 = [[2.5, -1], [-1, 0.5]]
  expected = (1.5**2 + 0 + 0 + 0.5**2) / 4
  assert losses.neighborhood_similarity(t, t, s) == pytest.approx(expected)
  b = np.array([[1.0, 1.0], [1.0, -1.0]])
  assert losses.quantization(b, t) == pytest.approx((0 + 1 + 1 + 0) / 4)
  assert losses.visual_reconstruction(t[None], b[None]) == pytest.approx(0.5)
  assert losses.neighborhood_reconstruction(t, b) == pytest.approx(0.5)


def test_batch_is_the_sum_over_its_pairs():
  loss, bank = run('batch')
  expected = np.mean(
    [
      (shares(i, j) - T[a] @ T[b] / K) ** 2
      for a, i in enumerate(INDEX)
      for b, j in enumerate(INDEX)
    ]
  )
  np.testing.assert_allclose(loss, expected, rtol=1e-5)
  assert bank == {}


def test_memory_bank_holds_the_last_seen_codes():
  _, bank = run('memory_bank')
  second = np.concatenate([INDEX[:2], np.setdiff1d(np.arange(N), INDEX)[:3]])
  newer = RNG.normal(size=(B, K)).astype(np.float32)
  loss, bank = run('memory_bank', newer, second, bank)
  codes = {**dict(zip(INDEX, T)), **dict(zip(second, newer))}
  expected = np.mean(
    [
      (shares(i, j) - newer[a] @ codes[j] / K) ** 2
      for a, i in enumerate(second)
      for j in codes
    ]
  )
  np.testing.assert_allclose(loss, expected, rtol=1e-5)
  seen = np.asarray(bank['code_bank']['seen'])
  assert set(np.flatnonzero(seen)) == set(codes)


def test_sampled_pairs_take_one_partner_of_each_kind():
  everyone = RNG.normal(size=(N, K)).astype(np.float32)
  _, bank = run('memory_bank', everyone, np.arange(N))
  loss, _ = run('sampled_pairs', T, INDEX, bank)
  codes = {**dict(enumerate(everyone)), **dict(zip(INDEX, T))}
  options = []
  for a, i in enumerate(INDEX):
    for sign in (1, -1):
      errors = [
        (sign - T[a] @ codes[j] / K) ** 2
        for j in range(N)
        if j != i and shares(i, j) == sign
      ]
      if errors:
        options.append(errors)
  low = np.mean([min(o) for o in options])
  high = np.mean([max(o) for o in options])
  assert low <= float(loss) <= high
  mean = np.mean([np.mean(o) for o in options])
  draws = [
    float(run('sampled_pairs', bank=bank, key=jax.random.key(seed))[0])
    for seed in range(40)
  ]
  assert len(set(draws)) > 5
  assert np.mean(draws) == pytest.approx(mean, rel=0.25)


def test_the_bank_gets_no_gradient():
  def loss(relaxed):
    return run('memory_bank', relaxed)[0]

  gradient = jax.grad(loss)(jnp.asarray(T))
  s = np.array([[shares(i, j) for j in INDEX] for i in INDEX])
  expected = -2 * (s - T @ T.T / K) @ T / K / B**2
  np.testing.assert_allclose(gradient, expected, rtol=1e-4, atol=1e-6)
