"""All pairs of codes within a Hamming radius, block by block, exact."""

from __future__ import annotations

import concurrent.futures
import os
from collections.abc import Iterator

import faiss
import numpy as np

_BLOCK = 512  # codes against all later ones

Block = tuple[np.ndarray, np.ndarray, np.ndarray]


def within(codes: np.ndarray, radius: int) -> Iterator[Block]:
  """Yields all pairs i < j that differ in `radius` bits or fewer.

  Memory is that of the codes and of the pairs of a few blocks; whoever wants
  all of them has to keep them.

  Args:
    codes: uint8 [N, K / 8].
    radius: in bits.

  Yields:
    i and j int64 and distances int32 of the pairs of a block, by (i, j).
  """
  codes = np.ascontiguousarray(codes)
  starts = range(0, len(codes), _BLOCK)
  threads = num_threads()
  with concurrent.futures.ThreadPoolExecutor(
    threads, 'pairs', faiss.omp_set_num_threads, (1,)
  ) as pool:
    # So many at once that no thread waits, and no more.
    for first in range(0, len(starts), threads):
      some = starts[first : first + threads]
      yield from pool.map(lambda start: _block(codes, start, radius), some)


def _block(codes: np.ndarray, start: int, radius: int) -> Block:
  """The pairs of rows start, start + 1, ... with rows after them."""
  rest = codes[start:]
  index = faiss.IndexBinaryFlat(8 * codes.shape[1])
  index.add(rest)
  # Strictly below what faiss calls the radius.
  limits, distances, columns = index.range_search(rest[:_BLOCK], radius + 1)
  rows = np.repeat(np.arange(len(limits) - 1), np.diff(limits).astype(np.int64))
  later = columns > rows
  rows, columns = rows[later], columns[later]
  order = np.lexsort((columns, rows))
  bits = distances[later][order].astype(np.int32)
  return start + rows[order], start + columns[order], bits


def num_threads() -> int:
  """Processors that this process may use."""
  # Linux alone says which of them this process may use.
  ask = getattr(os, 'sched_getaffinity', None)
  return len(ask(0)) if ask else os.cpu_count() or 1
