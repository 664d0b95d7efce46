"""One training step: ours, our literal scan and PyTorch, in turns.

Every contender is a process of its own, which starts with empty caches of
compiled programs: time to the first step and memory. Once all have started
they take their steps one after the other's.
"""

from __future__ import annotations

import contextlib
import functools
import math
import tempfile
import time
from collections.abc import Callable
from typing import Any

from benchmarks import (
  contenders,
  flops,
  fresh,
  machine,
  measuring,
  rates,
  sizes,
)
from nph_jax import allocator, errors

COMPILE_SECONDS = 300
_MORE_STEPS = 3  # after the first: memory grows once more with the second


def run(quick: bool, compile_seconds: int = COMPILE_SECONDS) -> dict[str, Any]:
  """Results by size; seconds and bytes.

  Args:
    quick: at a tiny size.
    compile_seconds: that torch.compile may take, 0 to leave it out.
  """
  chosen = sizes.QUICK_SIZES if quick else sizes.SIZES
  return {n: _measure(size, compile_seconds) for n, size in chosen.items()}


def _measure(size: sizes.Size, compile_seconds: int) -> dict[str, Any]:
  steps: dict[str, Callable[[], dict[str, Any]]] = {}
  cold, warm, missing = {}, {}, {}
  with contextlib.ExitStack() as stack:
    folder = stack.enter_context(tempfile.TemporaryDirectory())
    for name in contenders.CONTENDERS:
      begin = functools.partial(_begun, stack, name, size, folder)
      limit = compile_seconds if 'compiled' in name else math.inf
      try:
        steps[name] = begin(limit)
      except _Missing as reason:
        missing[name] = str(reason)
        continue
      cold[name] = steps[name]()
      if name.startswith('ours'):
        warm[name] = begin(limit)()
    times = measuring.in_turns(steps)
  seconds = measuring.medians(times)
  measured = fresh.call('benchmarks.rates:measure')
  del measured['peak_bytes']
  return {
    'size': size._asdict(),
    'seconds': seconds,
    'all': times,
    'rates': measured,
    'first_step': _fields(cold, 'first_step'),
    'first_step_again': _fields(warm, 'first_step'),
    'peak_bytes': _fields(cold, 'peak_bytes'),
    'missing': missing,
    'floor': floor(size, seconds, measured),
  }


def _fields(results: dict[str, Any], field: str) -> dict[str, float]:
  return {name: result[field] for name, result in results.items()}


class _Missing(Exception):
  """Why a contender takes no part."""


def _begun(
  stack: contextlib.ExitStack,
  name: str,
  size: sizes.Size,
  folder: str,
  limit: float,
) -> Callable[[], dict[str, Any]]:
  """A contender that has taken its first steps; each call is one more.

  Args:
    stack: ends its process.
    name: of contenders.CONTENDERS.
    size: of the step.
    folder: of compiled programs.
    limit: seconds for the first steps; 0 leaves it out.
  """
  if not limit:
    raise _Missing('left out')
  if 'PyTorch bfloat16' in name and not machine.multiplies_bfloat16():
    raise _Missing('no bfloat16 here')
  worker = fresh.Worker(
    'benchmarks.step:contender',
    environment={
      **fresh.ON_CPU,
      'JAX_COMPILATION_CACHE_DIR': f'{folder}/jax',
      'TORCHINDUCTOR_CACHE_DIR': f'{folder}/torch',
    },
    name=name,
    size=size,
    started=time.time(),
  )
  stack.callback(worker.end)
  end = time.monotonic() + limit
  if not worker.wait(end):
    if limit == math.inf:
      raise _failed(name)
    raise _Missing(
      f'did not compile within {limit} s'
      if time.monotonic() >= end
      else 'does not compile here'
    )
  return functools.partial(_one_more, name, worker)


def _one_more(name: str, worker: fresh.Worker) -> dict[str, Any]:
  found = worker.go()
  if found is None:
    raise _failed(name)
  return found


def _failed(name: str) -> errors.UserError:
  return errors.UserError(f'{name}: failed; what it said is above.')


def contender(
  name: str, size: list[int], started: float
) -> Callable[[], dict[str, Any]]:
  """The process of a contender: takes a step, and tells of the first ones.

  Args:
    name: of contenders.CONTENDERS.
    size: of the step.
    started: a time of the clock, from which the first step's seconds count.
  """
  allocator.keep_freed_memory()  # which helps PyTorch too
  step = contenders.CONTENDERS[name](sizes.Size(*size))
  step()
  first_step = time.time() - started
  for _ in range(_MORE_STEPS):
    step()
  told = {'first_step': first_step, 'peak_bytes': measuring.peak_memory()}

  def one_more() -> dict[str, Any]:
    step()
    return told

  return one_more


def floor(
  size: sizes.Size, seconds: dict[str, float], measured: dict[str, float]
) -> dict[str, dict[str, float]]:
  """What a step needs at the machine's rates, and the fraction reached.

  Args:
    size: of the step.
    seconds: measured, by contender.
    measured: of rates.measure.
  """
  result = {}
  for name, products, precision in (
    ('ours float32', flops.folded_step(size), 'float32'),
    ('ours bfloat16', flops.folded_step(size), 'bfloat16'),
    ('literal scan', flops.literal_step(size), 'float32'),
  ):
    count = flops.total_flops(products)
    operand = {'float32': 4, 'bfloat16': 2}[precision]
    moved = flops.total_bytes(products, size, operand)
    least = max(
      count / rates.matrix_rate(measured, precision), moved / measured['copy']
    )
    result[name] = {
      'flops': count,
      'bytes': moved,
      'seconds': least,
      'fraction': least / seconds[name],
    }
  return result
