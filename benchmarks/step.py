"""One training step: ours, our literal scan and PyTorch, in turns.

Every contender first runs in a new process of its own, with empty caches of
compiled programs: time to the first step and memory. Then all take their steps
in one process, one after the other's.
"""

from __future__ import annotations

import tempfile
import time
from typing import Any

from benchmarks import contenders, flops, fresh, measuring, rates, sizes
from nph_jax import errors

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
  with tempfile.TemporaryDirectory() as folder:
    caches = {
      'JAX_COMPILATION_CACHE_DIR': f'{folder}/jax',
      'TORCHINDUCTOR_CACHE_DIR': f'{folder}/torch',
    }
    cold, warm, missing = {}, {}, {}
    for name in contenders.CONTENDERS:
      try:
        cold[name] = _start(name, size, caches, compile_seconds)
      except _Missing as reason:
        missing[name] = str(reason)
        continue
      if not name.startswith('PyTorch'):
        warm[name] = _start(name, size, caches, compile_seconds)
    result = fresh.call(
      'benchmarks.step:in_turns',
      size=size,
      names=list(cold),
      environment=caches,
    )
  return {
    'size': size._asdict(),
    **{key: result[key] for key in ('seconds', 'all', 'rates')},
    'first_step': _fields(cold, 'first_step'),
    'first_step_again': _fields(warm, 'first_step'),
    'peak_bytes': _fields(cold, 'peak_bytes'),
    'missing': missing,
    'floor': floor(size, result['seconds'], result['rates']),
  }


def _fields(results: dict[str, Any], field: str) -> dict[str, float]:
  return {name: result[field] for name, result in results.items()}


class _Missing(Exception):
  """Why a contender takes no part."""


def _start(
  name: str, size: sizes.Size, caches: dict[str, str], compile_seconds: int
):
  """The first steps of a contender; torch.compile alone may fail at them."""
  compiles = 'compiled' in name
  if compiles and not compile_seconds:
    raise _Missing('left out')
  try:
    result = fresh.call(
      'benchmarks.step:first_steps',
      name=name,
      size=size,
      started=time.time(),
      timeout=compile_seconds if compiles else None,
      environment=caches,
    )
  except errors.UserError as error:
    if not compiles:
      raise
    raise _Missing('does not compile here') from error
  if result is None:
    raise _Missing(f'did not compile within {compile_seconds} s')
  return result


def first_steps(name: str, size: list[int], started: float) -> dict[str, Any]:
  """Seconds from `started`, a time of the clock, to the end of step 1."""
  step = contenders.CONTENDERS[name](sizes.Size(*size))
  step()
  first_step = time.time() - started
  for _ in range(_MORE_STEPS):
    step()
  return {'first_step': first_step}


def in_turns(size: list[int], names: list[str]) -> dict[str, Any]:
  """Median seconds of each contender's step, and the machine's own rates."""
  steps = {
    name: contenders.CONTENDERS[name](sizes.Size(*size)) for name in names
  }
  times = measuring.in_turns(steps)
  return {
    'seconds': measuring.medians(times),
    'all': times,
    'rates': rates.measure(),
  }


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
