"""An accelerator: whether it computes what a CPU does, then how fast.

  python -m benchmarks.gpu [--quick] [--seconds=360]

For a bare machine: jax, flax, optax and numpy, and PyTorch if it is beside
them. Each row has a process; they compile together, while the checks run, and
then measure one at a time. Writes results/PROCESSOR/gpu.json and the tables. A
row for which no time is left says so. `--quick` runs on a CPU too, at tiny
sizes, and prints its tables.
"""

from __future__ import annotations

import argparse
import contextlib
import importlib.util
import itertools
import os
import pathlib
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import jax
import numpy as np

from benchmarks import (
  agreement,
  contenders,
  encode,
  fresh,
  machine,
  measuring,
  rates,
  sizes,
  table,
)
from nph_jax import compilation, errors, train

LATE, NOT_THERE = 'late or failed', 'not installed'
_SECONDS = 360
_QUICK_SHAPES = ((64, 64, 64),)
_STEPS, _LARGE_BATCH = 16, 1024
_HELD = 8  # batches in the host's memory, sent again and again
_VIDEOS = 1024
Measure = Callable[[], dict[str, Any]]


def run(quick: bool, seconds: float) -> dict[str, Any]:
  """Checks and rows; `milliseconds` of a step, videos a second of encoding.

  Args:
    quick: at a tiny size.
    seconds: that all of it may take, but for the checks.
  """
  end = time.monotonic() + seconds
  rows, workers = {}, {}
  for name, prepare, arguments in _rows(quick):
    rows[name] = {'missing': LATE}
    if 'torch' in prepare and not importlib.util.find_spec('torch'):
      rows[name] = {'missing': NOT_THERE}
    else:
      workers[name] = fresh.Worker(f'benchmarks.gpu:{prepare}', **arguments)
  with contextlib.ExitStack() as stack:
    for worker in workers.values():
      stack.callback(worker.end)
    checks = agreement.run(quick)
    ready = [k for k, x in workers.items() if x.wait(end - seconds / 4)]
    speed = rates.accelerator(_QUICK_SHAPES if quick else rates.SHAPES)
    for name in ready:
      print(f'  {name}', file=sys.stderr, flush=True)
      rows[name] = workers[name].go(end) or rows[name]
      workers[name].end()
  device = jax.devices()[0].device_kind
  return {'device': device, 'checks': checks, 'rates': speed, 'rows': rows}


def _rows(quick: bool) -> Iterator[tuple[str, str, dict]]:
  """Name, what prepares it and its arguments, the most wanted rows first."""
  chosen = sizes.QUICK_SIZES if quick else sizes.SIZES
  precisions = ('float32',) if quick else ('bfloat16', 'float32')
  count = 2 if quick else _STEPS
  (first, size), *_ = chosen.items()
  each = list(itertools.product(chosen, precisions))
  for name, precision in each:
    fixed = {'size': chosen[name], 'precision': precision}
    yield f'{name} {precision}', 'resident', {**fixed, 'count': count}
  for precision in precisions:
    fixed = {'size': size, 'precision': precision}
    host = {**fixed, 'count': count}
    yield f'{first} {precision}, from the host', 'streamed', host
    yield f'{first} {precision}, encode', 'encoding', fixed
    yield f'PyTorch {first} {precision}, encode', 'torch_encode', fixed
  if not quick:
    fixed = {'size': size, 'precision': 'bfloat16', 'count': 1}
    yield f'{first} bfloat16, 1 step a call', 'resident', fixed
    large = {'size': size._replace(batch=_LARGE_BATCH), 'count': _STEPS}
    name = f'{first} bfloat16, {_LARGE_BATCH:,} videos'
    yield name, 'resident', {**fixed, **large}
  for kind, (name, precision) in itertools.product(('compiled', 'eager'), each):
    fixed = {'size': chosen[name], 'precision': precision}
    what = {**fixed, 'compiled': kind == 'compiled'}
    yield f'PyTorch {name} {precision}, {kind}', 'torch_step', what


def resident(size: sizes.Size, precision: str, count: int) -> Measure:
  """Steps whose frames are on the device, so many to a call."""
  videos = _videos(size)
  draw = np.random.default_rng(0).permutation
  batches = [{'index': draw(videos)[: size.batch]} for _ in range(count)]
  calls = itertools.repeat(train.split_batches(batches))
  frames = train.replicate(sizes.frames(videos, size))
  return _steps(size, precision, count, frames, calls)


def streamed(size: sizes.Size, precision: str, count: int) -> Measure:
  """Steps whose frames come from the host's memory, as training sends them."""
  index = np.arange(size.batch)
  held = [
    {'frames': sizes.frames(size.batch, size, seed), 'index': index}
    for seed in range(min(_HELD, count))
  ]
  stream = itertools.cycle(held)
  calls = (
    train.split_batches(itertools.islice(stream, count))
    for _ in itertools.count()
  )
  return _steps(size, precision, count, None, train.sent_ahead(calls))


def _steps(size, precision, count, resident, calls) -> Measure:
  """Milliseconds of a step, and seconds of the first call, which compiles."""
  step, state, tables = contenders.trainer(size, precision=precision)
  number = max(1, 2 * _STEPS // count) if size.batch >= 128 else 1

  def take(number: int) -> None:
    nonlocal state
    for batches in itertools.islice(calls, number):
      state, metrics = step(state, tables, resident, batches)
    assert np.isfinite(metrics['loss']).all()

  first = measuring.seconds(lambda: take(1))
  return lambda: _milliseconds(
    first, lambda: take(number), updates=number * count
  )


def _milliseconds(
  first: float, take: Callable[[], object], updates: int = 1
) -> dict[str, Any]:
  """Of one update, where `take` does so many."""
  times = [x / updates for x in measuring.in_turns({'': take})['']]
  median = measuring.medians({'': times})['']
  return {'milliseconds': 1e3 * median, 'first': first, 'all': times}


def torch_step(size: sizes.Size, precision: str, compiled: bool) -> Measure:
  """PyTorch's step, and seconds of the first, which compiles."""
  step = contenders.pytorch(
    size,
    autocast=precision == 'bfloat16',
    compiled=compiled,
    device=_torch_device(),
  )
  first = measuring.seconds(step)
  return lambda: _milliseconds(first, step)


def _torch_device() -> str:
  import torch

  return 'cuda' if torch.cuda.is_available() else 'cpu'


def encoding(size: sizes.Size, precision: str) -> Measure:
  """The exported hasher, on frames of the host and of the device."""
  with tempfile.TemporaryDirectory() as folder:
    encode.write_bundles(size, folder, (precision,))
    hasher = encode.ours(folder, precision)
  frames = sizes.frames(_videos(size), size)
  blocks = range(0, len(frames), hasher.block_size)
  there = [jax.device_put(frames[i : i + hasher.block_size]) for i in blocks]
  programs = {
    'from the host': lambda: hasher.encode(frames),
    'on the device': lambda: list(hasher.encode_blocks(there)),
    'one video': lambda: hasher.encode(frames[:1]),
  }
  first = measuring.seconds(programs['from the host'])
  programs['one video']()  # which has a program of its own
  return lambda: {'first': first, **_encoded(programs, len(frames))}


def torch_encode(size: sizes.Size, precision: str) -> Measure:
  """PyTorch's same work from the host's memory."""
  program = encode.pytorch(size, precision, _torch_device())
  frames = sizes.frames(_videos(size), size)
  programs = {
    'from the host': lambda: program(frames),
    'one video': lambda: program(frames[:1]),
  }
  return lambda: _encoded(programs, len(frames))


def _videos(size: sizes.Size) -> int:
  return max(_VIDEOS, size.batch) if size.batch >= 128 else size.batch


def _encoded(
  programs: Mapping[str, Callable[[], object]], count: int
) -> dict[str, Any]:
  """Videos a second of each, of `count`, but milliseconds of one video."""
  times = measuring.in_turns(programs)
  found = measuring.medians(times)
  one = found.pop('one video')
  rates = {name: count / seconds for name, seconds in found.items()}
  return {'videos_per_second': rates, 'one_video_ms': 1e3 * one, 'all': times}


def main(argv: list[str] | None = None) -> None:
  """Measures, then writes results and tables.

  Raises:
    UserError: a bad flag, no GPU and not --quick, or a check that failed.
  """
  flags = _parser().parse_args(argv)
  compilation.set_up()
  # There are as many processes as rows, so none takes most of the memory.
  os.environ.setdefault('XLA_PYTHON_CLIENT_PREALLOCATE', 'false')
  if jax.default_backend() == 'cpu' and not flags.quick:
    raise errors.UserError(
      'jax finds no GPU here; install its CUDA build (requirements-cuda.txt), '
      'or give --quick to see that all of it runs.'
    )
  start = time.perf_counter()
  about = {**machine.describe(), 'load': os.getloadavg()[0]}
  results = run(flags.quick, flags.seconds)
  about['taken'] = time.perf_counter() - start
  with tempfile.TemporaryDirectory() as name:
    folder = pathlib.Path(name) if flags.quick else table.RESULTS
    table.write(folder, 'gpu', about, results)
    if flags.quick:
      print(table.text(folder))
    else:
      table.rewrite()
  agreement.require(results['checks'])


def _parser() -> argparse.ArgumentParser:
  parser = errors.Parser(
    prog='python -m benchmarks.gpu',
    description='Checks and speed on an accelerator.',
    allow_abbrev=False,
  )
  parser.add_argument(
    '--quick', action='store_true', help='tiny sizes; tables are printed only'
  )
  parser.add_argument(
    '--seconds', type=float, default=_SECONDS, help='that all of it may take'
  )
  return parser


if __name__ == '__main__':
  errors.run_main(main)
