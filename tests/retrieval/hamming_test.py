"""Packing, unpacking and distances of codes."""

import numpy as np
import pytest

from nph_jax.retrieval import hamming


def random_binary(rng, num_videos, num_bits):
  return rng.choice(np.array([-1, 1], np.int8), (num_videos, num_bits))


@pytest.mark.parametrize('num_bits', [8, 16, 24, 64, 136])
def test_unpacking_undoes_packing(num_bits):
  binary = random_binary(np.random.default_rng(0), 7, num_bits)
  packed = np.packbits(binary > 0, axis=1)
  np.testing.assert_array_equal(hamming.unpack_codes(packed), binary)


@pytest.mark.parametrize(
  'num_bits', [8, 16, 24, 32, 40, 56, 64, 72, 128, 192, 248, 256, 512]
)
def test_distances_count_the_differing_bits(num_bits):
  rng = np.random.default_rng(num_bits)
  queries = random_binary(rng, 5, num_bits)
  database = np.concatenate([random_binary(rng, 9, num_bits), -queries])
  distances = hamming.hamming_distances(
    np.packbits(queries > 0, axis=1), np.packbits(database > 0, axis=1)
  )
  differing = (queries[:, None] != database).sum(axis=2)
  np.testing.assert_array_equal(distances, differing)
  assert distances.dtype == hamming.distance_dtype(num_bits)
  assert distances.max() == num_bits


def test_codes_of_different_width_are_refused():
  # 3 and 4 bytes would both fill a 32-bit word.
  with pytest.raises(ValueError, match='3 and 4 bytes'):
    hamming.hamming_distances(
      np.zeros((1, 3), np.uint8), np.zeros((1, 4), np.uint8)
    )
