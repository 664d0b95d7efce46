"""Queries spread over threads of our own, none of which waits by spinning.

OpenMP's do: faiss with two of them on a busy machine of two cores takes 50 to
100 ms for a query of 1 ms.
"""

from __future__ import annotations

import concurrent.futures
import contextlib
import functools
import os
from collections.abc import Callable, Iterator

import faiss
import numpy as np

_FEW = 8  # queries that are not worth another thread


@contextlib.contextmanager
def one_openmp_thread() -> Iterator[None]:
  """faiss calls of this thread stay in it; other threads are left alone."""
  before = faiss.omp_get_max_threads()
  faiss.omp_set_num_threads(1)
  try:
    yield
  finally:
    faiss.omp_set_num_threads(before)


def over_queries(
  search: Callable[[np.ndarray], tuple[np.ndarray, np.ndarray]],
  queries: np.ndarray,
) -> tuple[np.ndarray, np.ndarray]:
  """`search` of parts of `queries` [Q, P] in parallel, results concatenated."""
  count = min(_num_threads(), len(queries) // _FEW)
  if count < 2:
    with one_openmp_thread():
      return search(queries)
  parts = _pool().map(search, np.array_split(queries, count))
  return tuple(map(np.concatenate, zip(*parts)))


@functools.cache
def _num_threads() -> int:
  # Linux alone says which of them this process may use.
  ask = getattr(os, 'sched_getaffinity', None)
  return len(ask(0)) if ask else os.cpu_count() or 1


@functools.cache
def _pool() -> concurrent.futures.ThreadPoolExecutor:
  # OpenMP's number of threads is each calling thread's own.
  return concurrent.futures.ThreadPoolExecutor(
    _num_threads(), 'index', faiss.omp_set_num_threads, (1,)
  )
