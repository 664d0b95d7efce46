"""Packed binary codes and their Hamming distances."""

from __future__ import annotations

import numpy as np


def unpack_codes(packed: np.ndarray) -> np.ndarray:
  """The (N, K) int8 codes in {-1, +1} of (N, K / 8) uint8 packed ones."""
  bits = np.unpackbits(np.asarray(packed, np.uint8), axis=1)
  return bits.astype(np.int8) * 2 - 1


def distance_dtype(num_bits: int) -> type[np.unsignedinteger]:
  """The narrowest type of a distance; holds `num_bits` + 1 as well."""
  return np.uint8 if num_bits < np.iinfo(np.uint8).max else np.uint16


def hamming_distances(
  query_codes: np.ndarray, database_codes: np.ndarray
) -> np.ndarray:
  """Hamming distances of all pairs, in bits.

  Args:
    query_codes: (Q, P) uint8.
    database_codes: (N, P) uint8.

  Returns:
    (Q, N) of `distance_dtype(8 * P)`.

  Raises:
    ValueError: the codes differ in width.
  """
  if query_codes.shape[1] != database_codes.shape[1]:
    raise ValueError(
      f'codes of {query_codes.shape[1]} and {database_codes.shape[1]} bytes'
    )
  queries, database = _words(query_codes), _words(database_codes).T.copy()
  distances = np.zeros(
    (len(queries), database.shape[1]), distance_dtype(8 * query_codes.shape[1])
  )
  # Row by row, so that the differing bits stay in the processor's cache.
  differing = np.empty(database.shape[1], database.dtype)
  for query, row in zip(queries, distances):
    for query_word, database_words in zip(query, database):
      np.bitwise_xor(database_words, query_word, out=differing)
      row += np.bitwise_count(differing)
  return distances


def _words(codes: np.ndarray) -> np.ndarray:
  """(N, P) bytes as (N, W) words, the widest that waste the least."""
  width = min(8, 1 << (codes.shape[1] - 1).bit_length())
  # Zero bytes in both codes differ nowhere, so padding changes no distance.
  padding = -codes.shape[1] % width
  padded = np.pad(np.asarray(codes, np.uint8), ((0, 0), (0, padding)))
  return padded.view(f'u{width}')
