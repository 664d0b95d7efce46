"""What callers hand an index, checked."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from nph_jax import errors
from nph_jax.retrieval import indexing
from nph_jax.retrieval.indexing import records
from nph_jax.retrieval.indexing import store as store_lib

_PADDED = 2**27  # results, 1.5 GiB, that may be empty for the most part
_IDS_END = 2**63 - 1  # so that the next id, too, is one that SQLite holds


def codes(values: Any, num_bits: int) -> np.ndarray:
  """Packed codes, contiguous uint8 [n, K / 8].

  Raises:
    UserError: another type, shape or code length.
  """
  values = np.asarray(values)
  if values.dtype != np.uint8 or values.ndim != 2:
    raise errors.UserError(
      f'codes: {values.dtype} of shape {values.shape}; expected packed codes, '
      f'uint8 of shape (videos, {num_bits // 8}).'
    )
  if values.shape[1] * 8 != num_bits:
    raise errors.UserError(
      f'codes: have {values.shape[1] * 8} bits, but the index holds codes of '
      f'{num_bits} bits; use the bundle that its codes were made with.'
    )
  return np.ascontiguousarray(values)


def relaxed(values: Any, count: int, num_bits: int) -> np.ndarray:
  """t as finite float32 [n, K].

  Raises:
    UserError: another shape, no numbers, or not finite in float16.
  """
  values = np.asarray(values)
  if values.dtype.kind != 'f' or values.shape != (count, num_bits):
    raise errors.UserError(
      f't: {values.dtype} of shape {values.shape}; expected the real-valued '
      f'codes of the same {count} videos, floats of shape ({count}, '
      f'{num_bits}).'
    )
  if not (np.abs(values) <= np.finfo(np.float16).max).all():
    raise errors.UserError(
      't: has NaN, infinite or larger values than float16 holds (65504).'
    )
  return values.astype(np.float32)


def query_relaxed(
  values: Any, count: int, store: store_lib.Store
) -> np.ndarray:
  """t of `count` queries, float32 [Q, K], for re-ranking.

  Raises:
    UserError: it is missing or of another shape, or the index keeps none.
  """
  if not store.settings.keep_relaxed:
    raise errors.UserError(
      f'{store.directory}: keeps no real-valued t, so it cannot re-rank; build '
      'an index with t, from features.'
    )
  if values is None:
    raise errors.UserError(
      're-ranking: needs the real-valued t of the queries; give them as frame '
      'features or as an id, or do not re-rank.'
    )
  return relaxed(values, count, store.settings.num_bits)


def ids(
  values: Any, count: int | None = None, unique: bool = True
) -> np.ndarray:
  """Ids int64 [n].

  Raises:
    UserError: no whole numbers from 0 up, repeated though `unique`, or not
      `count` of them.
  """
  values = np.asarray(values)
  if not values.size:
    values = values.astype(np.int64)
  if values.dtype.kind not in 'iu' or values.ndim != 1:
    raise errors.UserError(
      f'ids: {values.dtype} of shape {values.shape}; expected a list of whole '
      'numbers.'
    )
  if (values < 0).any() or (values >= _IDS_END).any():
    raise errors.UserError('ids: have to be from 0 up and below 2^63 - 1.')
  values = values.astype(np.int64)
  if unique and len(np.unique(values)) != len(values):
    raise errors.UserError('ids: one stands there twice; give each once.')
  if count is not None and len(values) != count:
    raise errors.UserError(f'ids: {len(values)} for {count} videos.')
  return values


def batch(
  given_codes: Any,
  metadata: Sequence[Mapping[str, Any]] | None,
  given_relaxed: Any,
  given_ids: Any,
  store: store_lib.Store,
) -> records.Batch:
  """A batch for `store`; ids follow the largest so far where none are given.

  Raises:
    UserError: anything does not fit the index or each other.
  """
  settings = store.settings
  packed = codes(given_codes, settings.num_bits)
  if metadata is not None and len(metadata) != len(packed):
    raise errors.UserError(
      f'metadata: {len(metadata)} for {len(packed)} videos.'
    )
  if settings.keep_relaxed and given_relaxed is None:
    raise errors.UserError(
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
  return records.Batch(packed, numbers, half, metadata)


def padded(k: int, num_queries: int, num_videos: int) -> None:
  """Checks that results padded to k fit into memory.

  Raises:
    UserError: k is far beyond the videos that there are.
  """
  if k > num_videos and k * num_queries > _PADDED:
    raise errors.UserError(
      f'k: {k} results of each of {num_queries} queries do not fit into '
      f'memory; the index holds {num_videos} videos, so ask for no more.'
    )


def _following(store: store_lib.Store, count: int) -> np.ndarray:
  """The next `count` ids int64."""
  first = store.next_id()
  if first + count > _IDS_END:
    raise errors.UserError(
      f'{store.directory}: {count} ids from {first} on are not left below '
      '2^63 - 1; give ids that are free.'
    )
  return first + np.arange(count, dtype=np.int64)


def numbers(k: Any, radius: Any, rerank: Any, num_bits: int) -> None:
  """Checks the numbers of a search.

  Raises:
    UserError: one is out of range, or neither k nor radius is given.
  """
  if k is None and radius is None:
    raise errors.UserError('k: give a number of results, or a radius.')
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
      raise errors.UserError(
        f'{name}: is {value!r}; expected a whole number from {low}'
        f'{upper or " up"}.'
      )


def creation(num_bits: Any, engine: str, uri: str | None) -> None:
  """Checks what an index is to be created as.

  Raises:
    UserError: a value is out of range.
  """
  if not isinstance(num_bits, int | np.integer) or num_bits < 8 or num_bits % 8:
    raise errors.UserError(
      f'num_bits: is {num_bits!r}; expected a positive multiple of 8.'
    )
  if engine not in indexing.ENGINES:
    raise errors.UserError(
      f'engine: {engine!r} is unknown; there are {", ".join(indexing.ENGINES)}.'
    )
  if uri is not None and not engine.startswith('milvus'):
    raise errors.UserError(f'uri: the engine {engine} has none; leave it out.')
