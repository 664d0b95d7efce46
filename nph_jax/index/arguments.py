"""What callers hand an index, checked: an InvalidRequest or of one form."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np

from nph_jax import index as index_lib
from nph_jax.index import store as store_lib
from nph_jax.index.errors import InvalidRequest
from nph_jax.index.records import Batch

_PADDED = 2**27  # results, 1.5 GiB, that may be empty for the most part
_IDS_END = 2**63 - 1  # so that the next id, too, is one that SQLite holds


def codes(values: Any, num_bits: int) -> np.ndarray:
  """Packed codes, contiguous uint8 [n, K / 8]."""
  values = np.asarray(values)
  if values.dtype != np.uint8 or values.ndim != 2:
    raise InvalidRequest(
      f'codes: {values.dtype} of shape {values.shape}; expected packed codes, '
      f'uint8 of shape (videos, {num_bits // 8}).'
    )
  if values.shape[1] * 8 != num_bits:
    raise InvalidRequest(
      f'codes: have {values.shape[1] * 8} bits, but the index holds codes of '
      f'{num_bits} bits; use the bundle that its codes were made with.'
    )
  return np.ascontiguousarray(values)


def relaxed(values: Any, count: int, num_bits: int) -> np.ndarray:
  """t as float32 [n, K], finite in float16."""
  values = np.asarray(values)
  if values.dtype.kind != 'f' or values.shape != (count, num_bits):
    raise InvalidRequest(
      f't: {values.dtype} of shape {values.shape}; expected the real-valued '
      f'codes of the same {count} videos, floats of shape ({count}, '
      f'{num_bits}).'
    )
  if not (np.abs(values) <= np.finfo(np.float16).max).all():
    raise InvalidRequest(
      't: has NaN, infinite or larger values than float16 holds (65504).'
    )
  return values.astype(np.float32)


def ids(
  values: Any, count: int | None = None, unique: bool = True
) -> np.ndarray:
  """Ids int64 [n], `count` of them where that is given."""
  values = np.asarray(values)
  if not values.size:
    values = values.astype(np.int64)
  if values.dtype.kind not in 'iu' or values.ndim != 1:
    raise InvalidRequest(
      f'ids: {values.dtype} of shape {values.shape}; expected a list of whole '
      'numbers.'
    )
  if (values < 0).any() or (values >= _IDS_END).any():
    raise InvalidRequest('ids: have to be from 0 up and below 2^63 - 1.')
  values = values.astype(np.int64)
  if unique and len(np.unique(values)) != len(values):
    raise InvalidRequest('ids: one stands there twice; give each once.')
  if count is not None and len(values) != count:
    raise InvalidRequest(f'ids: {len(values)} for {count} videos.')
  return values


def batch(
  store: store_lib.Store,
  num_bits: int,
  given_ids: Any,
  given_codes: Any,
  given_relaxed: Any,
  contents: Any,
  metadata: Any = None,
  segments: Any = None,
) -> Batch:
  """A batch for `store`; ids follow the largest so far where none are given."""
  packed, half = codes(given_codes, num_bits), None
  count = len(packed)
  if metadata is not None and len(metadata) != count:
    raise InvalidRequest(f'metadata: {len(metadata)} for {count} videos.')
  if store.settings.keep_relaxed:
    if given_relaxed is None:
      raise InvalidRequest(
        f'{store.directory}: keeps the real-valued t for re-ranking; give '
        'codes with their t, or create an index that does not keep it.'
      )
    half = relaxed(given_relaxed, count, num_bits).astype(np.float16)
  if given_ids is None:
    numbers = _following(store, count)
  else:
    numbers = ids(given_ids, count)
  if contents is not None:
    contents = np.asarray(contents, np.int64)
    if contents.shape != numbers.shape:
      raise InvalidRequest(
        f'contents: of shape {contents.shape} for {count} videos.'
      )
  if segments is not None:
    if len(segments) != count:
      raise InvalidRequest(f'segments: {len(segments)} for {count} videos.')
    for one in segments:
      if one is not None:
        codes(one.codes, num_bits)
  return Batch(numbers, packed, half, metadata, contents, segments)


def _following(store: store_lib.Store, count: int) -> np.ndarray:
  """The next `count` ids int64, greater than every one that ever was there."""
  first = store.noted('next_id')
  if first + count > _IDS_END:
    raise InvalidRequest(
      f'{store.directory}: {count} ids from {first} on are not left below '
      '2^63 - 1; give ids that are free.'
    )
  return first + np.arange(count, dtype=np.int64)


def ranking(
  rank: str | None, rerank: int, values: Any, count: int, store: store_lib.Store
) -> tuple[str, np.ndarray | None]:
  """How to rank, and t of `count` queries as float32 [Q, K] where it is needed.

  Without a wish: by t where it is given and all codes are compared anyway.
  """
  if rank not in (None, *index_lib.RANKS):
    raise InvalidRequest(
      f'rank: is {rank!r}; expected {" or ".join(index_lib.RANKS)}.'
    )
  if rerank and not store.settings.keep_relaxed:
    raise InvalidRequest(
      f'{store.directory}: keeps no real-valued t, so it cannot re-rank; build '
      'an index with t, from features.'
    )
  if values is None and (rerank or rank == 'asymmetric'):
    raise InvalidRequest(
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


def where(pairs: Iterable[str]) -> dict[str, str] | None:
  """The filter of `--where NAME=VALUE`s, None without any."""
  chosen = {}
  for pair in pairs:
    name, equals, value = pair.partition('=')
    if not (name and equals) or name in chosen:
      raise InvalidRequest(
        f'--where {pair}: expected NAME=VALUE, each name once.'
      )
    chosen[name] = value
  return chosen or None


def numbers(k: Any, radius: Any, rerank: Any, num_bits: int) -> None:
  """Checks the numbers of a search."""
  if k is None and radius is None:
    raise InvalidRequest('k: give a number of results, or a radius.')
  for name, value, low, high in (
    ('k', k, 1, np.inf),
    ('radius', radius, 0, num_bits),
    ('rerank', rerank, 0, np.inf),
  ):
    whole = isinstance(value, int | np.integer) and not isinstance(value, bool)
    if value is not None and not (whole and low <= value <= high):
      upper = ' up' if high == np.inf else f' to {high}'
      raise InvalidRequest(
        f'{name}: is {value!r}; expected a whole number from {low}{upper}.'
      )


def padded(k: int, num_queries: int, num_videos: int) -> None:
  """Checks that results padded to k fit into memory."""
  if k > num_videos and k * num_queries > _PADDED:
    raise InvalidRequest(
      f'k: {k} results of each of {num_queries} queries do not fit into '
      f'memory; the index holds {num_videos} videos, so ask for no more.'
    )


def creation(num_bits: Any, engine: str, uri: str | None) -> None:
  """Checks what an index is to be created as."""
  if not isinstance(num_bits, int | np.integer) or num_bits < 8 or num_bits % 8:
    raise InvalidRequest(
      f'num_bits: is {num_bits!r}; expected a positive multiple of 8.'
    )
  if engine not in index_lib.ENGINES:
    raise InvalidRequest(
      f'engine: {engine!r} is unknown; there are '
      f'{", ".join(index_lib.ENGINES)}.'
    )
  if uri is not None and not engine.startswith('milvus'):
    raise InvalidRequest(f'uri: the engine {engine} has none; leave it out.')
