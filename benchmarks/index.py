"""The index beside raw faiss, whose search it wraps, and the other engines."""

from __future__ import annotations

import pathlib
import tempfile
import time
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from benchmarks import fresh, measuring

COUNTS = (1_000_000, 10_000_000)
APPROXIMATE_COUNT, MILVUS_COUNT = 1_000_000, 100_000
_QUICK_COUNTS = (3_000, 6_000)
_BITS, _K = 64, 100
_BATCH, _BATCH_RUNS = 128, 5
_SINGLES = 400
_BLOCK = 2**17  # codes to one addition
_NEAR = 12  # of the bits of a clustered code, those that may differ


def run(quick: bool) -> dict[str, Any]:
  """Build, open, memory, batches and single queries of every engine."""
  counts = _QUICK_COUNTS if quick else COUNTS
  others = {
    'ivf': _QUICK_COUNTS[0] if quick else APPROXIMATE_COUNT,
    'milvus': _QUICK_COUNTS[0] if quick else MILVUS_COUNT,
  }
  return {
    'num_bits': _BITS,
    'k': _K,
    'batch': _BATCH,
    'flat': [
      fresh.call('benchmarks.index:flat', num_codes=count) for count in counts
    ],
    'asymmetric': fresh.call(
      'benchmarks.index:asymmetric', num_codes=counts[0]
    ),
    'others': {
      name: fresh.call('benchmarks.index:other', engine=name, num_codes=count)
      for name, count in others.items()
    },
  }


def flat(num_codes: int) -> dict[str, Any]:
  """The exact index and faiss on the same random codes, in turns.

  faiss is called as it comes, with as many OpenMP threads as there are cores,
  and with one.
  """
  import faiss

  from nph_jax.index import VideoIndex

  codes = _random(num_codes)
  with tempfile.TemporaryDirectory() as folder:
    building = measuring.seconds(lambda: _build(folder, 'flat', codes))
    before = measuring.resident_memory()
    opening, index = measuring.timed(
      lambda: VideoIndex.open(pathlib.Path(folder) / 'index')
    )
    held = measuring.resident_memory() - before
    raw = faiss.IndexBinaryFlat(_BITS)
    faiss_building = measuring.seconds(lambda: raw.add(codes))

    def one_thread(queries: np.ndarray) -> None:
      threads = faiss.omp_get_max_threads()
      faiss.omp_set_num_threads(1)
      raw.search(queries, _K)
      faiss.omp_set_num_threads(threads)

    with index:
      _check_equal(
        index.search_arrays(_clustered(_BATCH, seed=2), _K),
        raw.search(_clustered(_BATCH, seed=2), _K),
      )
      searches = {
        'ours': lambda queries: index.search_arrays(queries, _K),
        'faiss': lambda queries: raw.search(queries, _K),
        'faiss, 1 thread': one_thread,
      }
      timings = _timings(searches)
  return {
    'num_codes': num_codes,
    'build': building,
    'faiss_build': faiss_building,
    'open': opening,
    'bytes_per_million': held / num_codes * 1e6,
    **timings,
  }


def asymmetric(num_codes: int) -> dict[str, Any]:
  """Ranking by t . b beside ranking by distance, and what faiss has for it.

  faiss' IndexPQ with the corners of the 8-cube as centroids reads packed codes
  as they are; its FastScan has half bytes, is faster and rounds.
  """
  import faiss

  from nph_jax.index import VideoIndex
  from nph_jax.index import asymmetric as ours

  codes = _random(num_codes)
  plain = _cube(codes)
  fast = ours._packed(codes)
  with tempfile.TemporaryDirectory() as folder:
    _build(folder, 'flat', codes)
    with VideoIndex.open(pathlib.Path(folder) / 'index') as index:

      def hits(t: np.ndarray, rank: str) -> Any:
        queries = np.packbits(t > 0, axis=1)
        return index.search(queries, _K, rank=rank, relaxed=t)

      t = _normal(_BATCH, seed=2)
      found = [[hit.id for hit in row] for row in hits(t, 'asymmetric')]
      with_pq = plain.search(t, _K)[1]
      same = np.mean(
        [set(a) == set(b) for a, b in zip(found, with_pq.tolist())]
      )
      searches = {
        'hamming': lambda t: hits(t, 'hamming'),
        'asymmetric': lambda t: hits(t, 'asymmetric'),
        'faiss IndexPQ': lambda t: plain.search(t, _K),
        'faiss IndexPQFastScan': lambda t: fast.search(t, _K),
      }
      threads = faiss.omp_get_max_threads()
      faiss.omp_set_num_threads(1)
      timings = _timings(searches, _normal)
      faiss.omp_set_num_threads(threads)
  rounded = fast.search(t, _K)[1]
  recall = np.mean([np.isin(a, b).mean() for a, b in zip(rounded, found)])
  return {
    'num_codes': num_codes,
    'same_as_pq': float(same),
    'fastscan_recall': float(recall),
    **timings,
  }


def _cube(codes: np.ndarray) -> Any:
  """IndexPQ of packed codes, which it takes as they are."""
  import faiss

  count = codes.shape[1]
  index = faiss.IndexPQ(8 * count, count, 8, faiss.METRIC_INNER_PRODUCT)
  bits = np.unpackbits(np.arange(256, dtype=np.uint8)[:, None], axis=1)
  corners = np.tile(bits * np.float32(2) - 1, (count, 1))
  faiss.copy_array_to_vector(corners.ravel(), index.pq.centroids)
  faiss.copy_array_to_vector(codes.ravel(), index.codes)
  index.is_trained, index.ntotal = True, len(codes)
  return index


def _normal(number: int, seed: int) -> np.ndarray:
  rng = np.random.default_rng(seed)
  return rng.normal(size=(number, _BITS)).astype(np.float32)


def _check_equal(
  ours: Sequence[np.ndarray], theirs: Sequence[np.ndarray]
) -> None:
  """Times of searches with other results would compare nothing."""
  for name, mine, other in zip(('distances', 'ids'), ours, theirs):
    if not np.array_equal(mine, other):
      queries = (mine != other).any(axis=1).sum()
      raise RuntimeError(
        f'{name} of {queries} of {len(mine)} queries are not those of faiss'
      )


def other(engine: str, num_codes: int) -> dict[str, Any]:
  """Another engine beside the exact one, on codes that lie in clusters."""
  from nph_jax.index import VideoIndex

  codes = _clustered(num_codes)
  with tempfile.TemporaryDirectory() as folder:
    building = measuring.seconds(lambda: _build(folder, engine, codes))
    exact_folder = f'{folder}/exact'
    _build(exact_folder, 'flat', codes)
    with (
      VideoIndex.open(pathlib.Path(folder) / 'index') as index,
      VideoIndex.open(pathlib.Path(exact_folder) / 'index') as exact,
    ):
      queries = _clustered(_BATCH, seed=1)
      true = exact.search_arrays(queries, _K)[0]
      near = index.search_arrays(queries, _K)[0]
      searches = {
        engine: lambda queries: index.search_arrays(queries, _K),
        'flat': lambda queries: exact.search_arrays(queries, _K),
      }
      timings = _timings(searches)
  # By distance: which of equally distant ones are found is no matter.
  hits = ((near <= true[:, -1:]) & (near >= 0)).mean()
  return {
    'num_codes': num_codes,
    'build': building,
    'recall': float(hits),
    **timings,
  }


def _timings(
  searches: dict[str, Callable[[np.ndarray], Any]],
  make: Callable[..., np.ndarray] | None = None,
) -> dict[str, Any]:
  """Queries a second in batches, and percentiles of single ones, seconds."""
  make = make or _clustered
  batch, singles = make(_BATCH, seed=2), make(_SINGLES, seed=3)
  times = measuring.in_turns(
    {name: lambda s=search: s(batch) for name, search in searches.items()},
    runs=_BATCH_RUNS,
  )
  rates = {
    name: _BATCH / seconds for name, seconds in measuring.medians(times).items()
  }
  alone: dict[str, list[float]] = {name: [] for name in searches}
  for query in singles:
    for name, search in searches.items():
      start = time.perf_counter()
      search(query[None])
      alone[name].append(time.perf_counter() - start)
  percentiles = {
    name: dict(zip(('p50', 'p99'), np.percentile(seconds, (50, 99)).tolist()))
    for name, seconds in alone.items()
  }
  return {'queries_per_second': rates, 'single': percentiles}


def _build(folder: str, engine: str, codes: np.ndarray) -> None:
  from nph_jax.index import VideoIndex

  with VideoIndex.create(
    pathlib.Path(folder) / 'index', _BITS, engine=engine, keep_relaxed=False
  ) as index:
    # The approximate engines are made anew as they grow; one batch spares it.
    block = _BLOCK if engine == 'flat' else len(codes)
    for start in range(0, len(codes), block):
      index.add(codes[start : start + block], None)


def _random(number: int, seed: int = 0) -> np.ndarray:
  rng = np.random.default_rng(seed)
  return rng.integers(0, 256, (number, _BITS // 8), np.uint8)


def _clustered(number: int, seed: int = 0) -> np.ndarray:
  """Codes around 1000 centres, the same ones for every seed."""
  rng = np.random.default_rng(seed)
  centres = _random(1000, seed=99)
  flips = np.zeros((number, _BITS), np.uint8)
  bits = rng.integers(0, _BITS, (number, _NEAR))
  np.put_along_axis(flips, bits, rng.integers(0, 2, bits.shape, np.uint8), 1)
  chosen = centres[rng.integers(0, len(centres), number)]
  return chosen ^ np.packbits(flips, axis=1)
