"""Seconds, memory and growth: how every part measures."""

from __future__ import annotations

import math
import pathlib
import re
import statistics
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any

RUNS = 7
WARM_UP = 2


def in_turns(
  programs: Mapping[str, Callable[[], object]], runs: int = RUNS
) -> dict[str, list[float]]:
  """Seconds of each program, one run after the other's, after warming up.

  So a busy moment of the machine meets all of them.
  """
  for program in programs.values():
    for _ in range(WARM_UP):
      program()
  times: dict[str, list[float]] = {name: [] for name in programs}
  for _ in range(runs):
    for name, program in programs.items():
      times[name].append(seconds(program))
  return times


def seconds(program: Callable[[], object]) -> float:
  """Wall-clock seconds of one call."""
  return timed(program)[0]


def timed(program: Callable[[], Any]) -> tuple[float, Any]:
  """Wall-clock seconds of one call, and what it returned."""
  start = time.perf_counter()
  result = program()
  return time.perf_counter() - start, result


def medians(times: Mapping[str, Sequence[float]]) -> dict[str, float]:
  """The median of each list of `times`."""
  return {name: statistics.median(values) for name, values in times.items()}


def slope(sizes: Sequence[float], values: Sequence[float]) -> float:
  """Exponent p of values ~ sizes^p: the line through both logarithms."""
  fit = statistics.linear_regression(
    [math.log(size) for size in sizes], [math.log(value) for value in values]
  )
  return fit.slope


def peak_memory() -> int:
  """Bytes of memory that this process held at most so far.

  Not ru_maxrss, which a new process inherits from the one that started it.
  """
  return _status('VmHWM')


def resident_memory() -> int:
  """Bytes of memory that this process holds."""
  return _status('VmRSS')


def _status(field: str) -> int:
  text = pathlib.Path('/proc/self/status').read_text()
  return 1024 * int(re.search(rf'^{field}:\s+(\d+) kB', text, re.M)[1])
