"""Keeping the memory that one training step frees for the next."""

from __future__ import annotations

import ctypes

_M_TRIM_THRESHOLD, _M_MMAP_THRESHOLD, _M_ARENA_MAX = -1, -3, -8
_LARGEST = 2**31 - 1


def keep_freed_memory() -> bool:
  """Asks the C library not to give freed memory back to the system.

  On a CPU, XLA allocates all of a step's intermediate results anew at every
  step. By default glibc maps and unmaps such large pieces, so that each page
  is cleared and mapped again every time (benchmarks/README.md has what that
  costs). The process then stays at its largest size until it ends.

  Returns:
    Whether the C library is one that can.
  """
  try:
    mallopt = ctypes.CDLL('libc.so.6').mallopt
  except (OSError, AttributeError):
    return False  # not glibc
  # Only the main arena can hold pieces of more than 64 MiB; XLA allocates from
  # threads, which without this would have other ones.
  return all(
    mallopt(option, value)
    for option, value in (
      (_M_ARENA_MAX, 1),
      (_M_MMAP_THRESHOLD, _LARGEST),
      (_M_TRIM_THRESHOLD, _LARGEST),
    )
  )
