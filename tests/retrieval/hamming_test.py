"""Packing, unpacking and distances of codes."""

import numpy as np
import pytest

from nph_jax.retrieval import hamming


def random_binary(rng, num_videos, num_bits):
  return rng.choice(np.array([-1, 1], np.int8), (num_videos, num_bits))


def test_the_first_bit_is_the_most_significant_and_one_is_plus():
  binary = np.array([[1, -1, -1, -1, -1, -1, -1, 1, -1, 1, 1, 1, 1, 1, 1, 1]])
  np.testing.assert_array_equal(hamming.pack_codes(binary), [[129, 127]])


@pytest.mark.parametrize('num_bits', [8, 16, 24, 64, 136])
def test_unpacking_undoes_packing(num_bits):
  binary = random_binary(np.random.default_rng(0), 7, num_bits)
  packed = hamming.pack_codes(binary.astype(np.float32))
  assert packed.dtype == np.uint8
  np.testing.assert_array_equal(packed, np.packbits(binary > 0, axis=1))
  np.testing.assert_array_equal(hamming.unpack_codes(packed), binary)


@pytest.mark.parametrize(
  ('binary', 'complaint'),
  [
    (np.ones((2, 12)), 'multiple of 8'),
    (np.ones(8), 'multiple of 8'),
    (np.zeros((2, 8)), '-1 and'),
  ],
)
def test_what_is_not_a_binary_code_is_refused(binary, complaint):
  with pytest.raises(ValueError, match=complaint):
    hamming.pack_codes(binary)


@pytest.mark.parametrize(
  'num_bits', [8, 16, 24, 32, 40, 56, 64, 72, 128, 192, 248, 256, 512]
)
def test_distances_count_the_differing_bits(num_bits):
  rng = np.random.default_rng(num_bits)
  queries = random_binary(rng, 5, num_bits)
  database = np.concatenate([random_binary(rng, 9, num_bits), -queries])
  distances = hamming.hamming_distances(
    hamming.pack_codes(queries), hamming.pack_codes(database)
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
