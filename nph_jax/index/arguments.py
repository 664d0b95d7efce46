"""What callers hand an index, checked."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from nph_jax import index as index_lib
from nph_jax.index import errors, records
from nph_jax.index import store as store_lib

_PADDED = 2**27  # results, 1.5 GiB, that may be empty for the most part
_IDS_END = 2**63 - 1  # so that the next id, too, is one that SQLite holds


def codes(values: Any, num_bits: int) -> np.ndarray:
  """Packed codes, contiguous uint8 [n, K / 8].

  Raises:
    InvalidRequest: another type, shape or code length.
  """
  values = np.asarray(values)
  if values.dtype != np.uint8 or values.ndim != 2:
    raise errors.InvalidRequest(
      f'codes: {values.dtype} of shape {values.shape}; expected packed codes, '
      f'uint8 of shape (videos, {num_bits // 8}).'
    )
  if values.shape[1] * 8 != num_bits:
    raise errors.InvalidRequest(
      f'codes: have {values.shape[1] * 8} bits, but the index holds codes of '
      f'{num_bits} bits; use the bundle that its codes were made with.'
    )
  return np.ascontiguousarray(values)


def relaxed(values: Any, count: int, num_bits: int) -> np.ndarray:
  """t as finite float32 [n, K].

  Raises:
    InvalidRequest: another shape, no numbers, or not finite in float16.
  """
  values = np.asarray(values)
  if values.dtype.kind != 'f' or values.shape != (count, num_bits):
    raise errors.InvalidRequest(
      f't: {values.dtype} of shape {values.shape}; expected the real-valued '
      f'codes of the same {count} videos, floats of shape ({count}, '
      f'{num_bits}).'
    )
  if not (np.abs(values) <= np.finfo(np.float16).max).all():
    raise errors.InvalidRequest(
      't: has NaN, infinite or larger values than float16 holds (65504).'
    )
  return values.astype(np.float32)


def ranking(
  rank: str | None, rerank: int, values: Any, count: int, store: store_lib.Store
) -> tuple[str, np.ndarray | None]:
  """How to rank, and t of `count` queries as float32 [Q, K] where it is needed.

  Without a wish: by t where it is given and all codes are compared anyway.

  Raises:
    InvalidRequest: t is missing or of another shape, the index keeps none to
      re-rank by, or there is no such ranking.
  """
  if rank not in (None, *index_lib.RANKS):
    raise errors.InvalidRequest(
      f'rank: is {rank!r}; expected {" or ".join(index_lib.RANKS)}.'
    )
  if rerank and not store.settings.keep_relaxed:
    raise errors.InvalidRequest(
      f'{store.directory}: keeps no real-valued t, so it cannot re-rank; build '
      'an index with t, from features.'
    )
  if values is None and (rerank or rank == 'asymmetric'):
    raise errors.InvalidRequest(
      f'{"re-ranking" if rerank else "asymmetric ranking"}: needs the '
      'real-valued t of the queries; give them as frame features or as an id '
      'of an index with t, or leave it out.'
    )
  if rank is None:
    plain = values is None or rerank or store.settings.engine != 'flat'
    rank = 'hamming' if plain else 'asymmetric'
  if not rerank and rank == 'hamming':
    return rank, None
  return rank, relaxed(values, count, store.settings.num_bits)


def ids(
  values: Any, count: int | None = None, unique: bool = True
) -> np.ndarray:
  """Ids int64 [n].

  Raises:
    InvalidRequest: no whole numbers from 0 up, repeated though `unique`, or not
      `count` of them.
  """
  values = np.asarray(values)
  if not values.size:
    values = values.astype(np.int64)
  if values.dtype.kind not in 'iu' or values.ndim != 1:
    raise errors.InvalidRequest(
      f'ids: {values.dtype} of shape {values.shape}; expected a list of whole '
      'numbers.'
    )
  if (values < 0).any() or (values >= _IDS_END).any():
    raise errors.InvalidRequest('ids: have to be from 0 up and below 2^63 - 1.')
  values = values.astype(np.int64)
  if unique and len(np.unique(values)) != len(values):
    raise errors.InvalidRequest('ids: one stands there twice; give each once.')
  if count is not None and len(values) != count:
    raise errors.InvalidRequest(f'ids: {len(values)} for {count} videos.')
  return values


def batch(
  given_codes: Any,
  metadata: Sequence[Mapping[str, Any]] | None,
  given_relaxed: Any,
  given_ids: Any,
  contents: Any,
  store: store_lib.Store,
) -> records.Batch:
  """A batch for `store`; ids follow the largest so far where none are given.

  Raises:
    InvalidRequest: anything does not fit the index or each other.
  """
  settings = store.settings
  packed = codes(given_codes, settings.num_bits)
  if metadata is not None and len(metadata) != len(packed):
    raise errors.InvalidRequest(
      f'metadata: {len(metadata)} for {len(packed)} videos.'
    )
  if settings.keep_relaxed and given_relaxed is None:
    raise errors.InvalidRequest(
      f'{store.directory}: keeps the real-valued t for re-ranking; add codes '
      'with their t, or create an index that does not keep it.'
    )
  half = None
  if settings.keep_relaxed:
    half = relaxed(given_relaxed, len(packed), settings.num_bits)
    half = half.astype(np.float16)
  if given_ids is None:
    numbers = _following(store, len(packed))
  else:
    numbers = ids(given_ids, len(packed))
  if contents is not None:
    contents = np.asarray(contents, np.int64)
    if contents.shape != numbers.shape:
      raise errors.InvalidRequest(
        f'contents: of shape {contents.shape} for {len(packed)} videos.'
      )
  return records.Batch(numbers, packed, half, metadata, contents)


def padded(k: int, num_queries: int, num_videos: int) -> None:
  """Checks that results padded to k fit into memory.

  Raises:
    InvalidRequest: k is far beyond the videos that there are.
  """
  if k > num_videos and k * num_queries > _PADDED:
    raise errors.InvalidRequest(
      f'k: {k} results of each of {num_queries} queries do not fit into '
      f'memory; the index holds {num_videos} videos, so ask for no more.'
    )


def _following(store: store_lib.Store, count: int) -> np.ndarray:
  """The next `count` ids int64."""
  first = store.next_id()
  if first + count > _IDS_END:
    raise errors.InvalidRequest(
      f'{store.directory}: {count} ids from {first} on are not left below '
      '2^63 - 1; give ids that are free.'
    )
  return first + np.arange(count, dtype=np.int64)


def numbers(k: Any, radius: Any, rerank: Any, num_bits: int) -> None:
  """Checks the numbers of a search.

  Raises:
    InvalidRequest: one is out of range, or neither k nor radius is given.
  """
  if k is None and radius is None:
    raise errors.InvalidRequest('k: give a number of results, or a radius.')
  bounds = {
    'k': (k, 1, None),
    'radius': (radius, 0, num_bits),
    'rerank': (rerank, 0, None),
  }
  for name, (value, low, high) in bounds.items():
    if value is None:
      continue
    whole = isinstance(value, int | np.integer) and not isinstance(value, bool)
    if not whole or value < low or (high is not None and value > high):
      upper = '' if high is None else f' to {high}'
      raise errors.InvalidRequest(
        f'{name}: is {value!r}; expected a whole number from {low}'
        f'{upper or " up"}.'
      )


def creation(num_bits: Any, engine: str, uri: str | None) -> None:
  """Checks what an index is to be created as.

  Raises:
    InvalidRequest: a value is out of range.
  """
  if not isinstance(num_bits, int | np.integer) or num_bits < 8 or num_bits % 8:
    raise errors.InvalidRequest(
      f'num_bits: is {num_bits!r}; expected a positive multiple of 8.'
    )
  if engine not in index_lib.ENGINES:
    raise errors.InvalidRequest(
      f'engine: {engine!r} is unknown; there are '
      f'{", ".join(index_lib.ENGINES)}.'
    )
  if uri is not None and not engine.startswith('milvus'):
    raise errors.InvalidRequest(
      f'uri: the engine {engine} has none; leave it out.'
    )


def rehashed(
  values: tuple[Any, ...], num_bits: int, keep_relaxed: bool
) -> records.Batch:
  """A batch of `VideoIndex.rehash`.

  Raises:
    InvalidRequest: anything does not fit each other, or t is missing.
  """
  given_ids, given_codes, given_relaxed, contents = values
  packed = codes(given_codes, num_bits)
  if keep_relaxed and given_relaxed is None:
    raise errors.InvalidRequest(
      'rehash: the index keeps the real-valued t; give that of the new codes, '
      'from features.'
    )
  half = None
  if keep_relaxed:
    half = relaxed(given_relaxed, len(packed), num_bits).astype(np.float16)
  return records.Batch(
    ids(given_ids, len(packed)), packed, half, None, contents
  )
