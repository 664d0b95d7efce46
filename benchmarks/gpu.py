"""An accelerator: whether it computes what a CPU does, then how fast.

  python -m benchmarks.gpu [--quick] [--seconds=360]

For a bare machine: jax, flax, optax and numpy, and PyTorch if it is beside
them. Writes results/PROCESSOR/gpu.json and the tables. A row for which no
time is left says so. `--quick` runs on a CPU too, at tiny sizes, and prints its
tables.
"""

from __future__ import annotations

import argparse
import importlib.util
import itertools
import os
import pathlib
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
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
from nph_jax import errors, train

NO_TIME, NOT_THERE = 'no time left', 'not installed'
_SECONDS = 360
_TORCH_LEAST = 20  # seconds, under which PyTorch is not begun
_QUICK_SHAPES = ((64, 64, 64),)
_STEPS, _LARGE_BATCH = 16, 1024
_HELD = 8  # batches in the host's memory, sent again and again
_VIDEOS = 1024


def run(quick: bool, seconds: float) -> dict[str, Any]:
  """Checks and rows; `milliseconds` of a step, videos a second of encoding.

  Args:
    quick: at a tiny size.
    seconds: that all of it may take; what is begun in jax is finished.
  """
  end = time.monotonic() + seconds
  found = {
    'device': jax.devices()[0].device_kind,
    'checks': agreement.run(quick),
    'rates': rates.accelerator(_QUICK_SHAPES if quick else rates.SHAPES),
  }
  rows = {}
  for name, measure, arguments in _rows(quick):
    print(f'  {name}', file=sys.stderr, flush=True)
    left = end - time.monotonic()
    if isinstance(measure, str):
      rows[name] = _torch(measure, left, arguments)
    else:
      rows[name] = measure(**arguments) if left > 0 else {'missing': NO_TIME}
  return {**found, 'rows': rows}


def _rows(quick: bool) -> Iterator[tuple[str, Callable | str, dict]]:
  """Name, what measures it and its arguments, the most wanted rows first.

  What PyTorch measures is a name, of a function for a process of its own.
  """
  chosen = sizes.QUICK_SIZES if quick else sizes.SIZES
  precisions = ('float32',) if quick else ('bfloat16', 'float32')
  count = 2 if quick else _STEPS
  (first, size), *_ = chosen.items()
  each = list(itertools.product(chosen, precisions))
  for name, precision in each:
    fixed = {'size': chosen[name], 'precision': precision}
    yield f'{name} {precision}', _resident, {**fixed, 'count': count}
  for precision in precisions:
    fixed = {'size': size, 'precision': precision}
    host = {**fixed, 'count': count}
    yield f'{first} {precision}, from the host', _streamed, host
    yield f'{first} {precision}, encode', _encode, fixed
    yield f'PyTorch {first} {precision}, encode', 'torch_encode', fixed
  if not quick:
    fixed = {'size': size, 'precision': 'bfloat16', 'count': 1}
    yield f'{first} bfloat16, 1 step a call', _resident, fixed
    large = {'size': size._replace(batch=_LARGE_BATCH), 'count': _STEPS}
    name = f'{first} bfloat16, {_LARGE_BATCH:,} videos'
    yield name, _resident, {**fixed, **large}
  for kind, (name, precision) in itertools.product(('compiled', 'eager'), each):
    fixed = {'size': chosen[name], 'precision': precision}
    what = {**fixed, 'compiled': kind == 'compiled'}
    yield f'PyTorch {name} {precision}, {kind}', 'torch_step', what


def _torch(function: str, left: float, arguments: dict) -> dict[str, Any]:
  """What PyTorch takes, in a process that is ended when the time is up."""
  if not importlib.util.find_spec('torch'):
    return {'missing': NOT_THERE}
  if left < _TORCH_LEAST:
    return {'missing': NO_TIME}
  try:
    found = fresh.call(f'benchmarks.gpu:{function}', timeout=left, **arguments)
  except errors.UserError:
    return {'missing': 'failed'}
  return found or {'missing': NO_TIME}


def _resident(size: sizes.Size, precision: str, count: int) -> dict[str, Any]:
  """Steps whose frames are on the device, so many to a call."""
  videos = _videos(size)
  draw = np.random.default_rng(0).permutation
  batches = [{'index': draw(videos)[: size.batch]} for _ in range(count)]
  calls = itertools.repeat(train.split_batches(batches))
  resident = train.replicate(sizes.frames(videos, size))
  return _steps(size, precision, count, resident, calls)


def _streamed(size: sizes.Size, precision: str, count: int) -> dict[str, Any]:
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


def _steps(size, precision, count, resident, calls) -> dict[str, Any]:
  """Milliseconds of a step, and seconds of the first call, which compiles."""
  step, state, tables = contenders.trainer(size, precision=precision)
  number = max(1, 2 * _STEPS // count) if size.batch >= 128 else 1

  def take(number: int) -> None:
    nonlocal state
    for batches in itertools.islice(calls, number):
      state, metrics = step(state, tables, resident, batches)
    assert np.isfinite(metrics['loss']).all()

  first = measuring.seconds(lambda: take(1))
  times = measuring.in_turns({'ours': lambda: take(number)})['ours']
  return _milliseconds(first, [x / (number * count) for x in times])


def _milliseconds(first: float, times: list[float]) -> dict[str, Any]:
  median = measuring.medians({'': times})['']
  return {'milliseconds': 1e3 * median, 'first': first, 'all': times}


def torch_step(size: list[int], precision: str, compiled: bool) -> dict:
  """PyTorch's step, and seconds of the first, which compiles."""
  step = contenders.pytorch(
    sizes.Size(*size),
    autocast=precision == 'bfloat16',
    compiled=compiled,
    device=_torch_device(),
  )
  first = measuring.seconds(step)
  times = measuring.in_turns({'torch': step})['torch']
  return _milliseconds(first, times)


def _torch_device() -> str:
  import torch

  return 'cuda' if torch.cuda.is_available() else 'cpu'


def _encode(size: sizes.Size, precision: str) -> dict[str, Any]:
  """The exported hasher, on frames of the host and of the device."""
  with tempfile.TemporaryDirectory() as folder:
    encode.write_bundles(size, folder, (precision,))
    hasher = encode.ours(folder, precision)
  frames = sizes.frames(_videos(size), size)
  blocks = range(0, len(frames), hasher.block_size)
  there = [jax.device_put(frames[i : i + hasher.block_size]) for i in blocks]
  first = measuring.seconds(lambda: hasher.encode(frames))
  times = measuring.in_turns(
    {
      'from the host': lambda: hasher.encode(frames),
      'on the device': lambda: list(hasher.encode_blocks(there)),
      'one video': lambda: hasher.encode(frames[:1]),
    }
  )
  return {'first': first, **_videos_per_second(times, len(frames))}


def torch_encode(size: list[int], precision: str) -> dict[str, Any]:
  """PyTorch's same work from the host's memory."""
  size = sizes.Size(*size)
  program = encode.pytorch(size, precision, _torch_device())
  frames = sizes.frames(_videos(size), size)
  times = measuring.in_turns(
    {
      'from the host': lambda: program(frames),
      'one video': lambda: program(frames[:1]),
    }
  )
  return _videos_per_second(times, len(frames))


def _videos(size: sizes.Size) -> int:
  return max(_VIDEOS, size.batch) if size.batch >= 128 else size.batch


def _videos_per_second(times: dict[str, list[float]], count: int) -> dict:
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
