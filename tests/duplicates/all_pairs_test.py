"""All pairs within a radius, against brute force."""

import numpy as np
import pytest

from nph_jax.duplicates import pairs


def by_brute_force(codes, radius):
  bits = np.unpackbits(codes, axis=1)
  distances = (bits[:, None] != bits[None]).sum(axis=2)
  i, j = np.nonzero(np.triu(distances <= radius, 1))
  return i, j, distances[i, j]


@pytest.mark.parametrize('radius', [0, 1, 9, 32])
def test_pairs_are_those_of_brute_force_across_blocks(monkeypatch, radius):
  monkeypatch.setattr(pairs, '_BLOCK', 16)
  rng = np.random.default_rng(0)
  codes = rng.integers(0, 256, (101, 4), dtype=np.uint8)
  codes[70:90] = codes[10:30]  # in blocks of their own
  found = [np.concatenate(x) for x in zip(*pairs.within(codes, radius))]
  for mine, theirs in zip(found, by_brute_force(codes, radius)):
    np.testing.assert_array_equal(mine, theirs)


def test_no_code_and_one_code_are_no_pair():
  for count in (0, 1):
    codes = np.zeros((count, 32), np.uint8)
    assert sum(len(i) for i, _, _ in pairs.within(codes, 256)) == 0
