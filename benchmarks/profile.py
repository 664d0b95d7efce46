"""Where a training step's time goes, instruction by instruction of XLA's.

  python -m benchmarks.profile [fcvid] [bfloat16]

Prints milliseconds of a step, and of what took most of it: how often it ran in
a step, 25 times or so in a recurrence, and its share of the sum. Instructions
that ran at the same time are counted each: the sum is more than the step took.
"""

from __future__ import annotations

import collections
import gzip
import json
import pathlib
import sys
import tempfile
from collections.abc import Iterable, Mapping
from typing import Any

from benchmarks import contenders, measuring, sizes

_STEPS, _SHOWN = 5, 40


def instructions(
  events: Iterable[Mapping[str, Any]],
) -> dict[str, tuple[int, float]]:
  """How often each ran, and its microseconds, by a trace of XLA's CPU client.

  The loops themselves are not always in a trace, and are left out.
  """
  times, taken = collections.Counter(), collections.Counter()
  for event in events:
    of_xla = 'hlo_module' in event.get('args', {})
    if of_xla and not event['name'].startswith(('while', 'call')):
      times[event['name']] += 1
      taken[event['name']] += event['dur']
  return {name: (times[name], spent) for name, spent in taken.most_common()}


def trace_of(run: contenders.Step) -> list[dict[str, Any]]:
  """The events of _STEPS steps, as the profiler's trace file has them."""
  import jax

  with tempfile.TemporaryDirectory() as folder:
    with jax.profiler.trace(folder):
      for _ in range(_STEPS):
        run()
    (path,) = pathlib.Path(folder).rglob('*.trace.json.gz')
    with gzip.open(path) as file:
      return json.load(file)['traceEvents']


def main(size: str = 'fcvid', precision: str = 'bfloat16') -> None:
  """Prints what one step of ours is made of."""
  run = contenders.ours(sizes.SIZES[size], precision=precision)
  median = measuring.medians(measuring.in_turns({'step': run}))['step']
  found = instructions(trace_of(run))
  total = sum(taken for _, taken in found.values())
  print(f'{size}, {precision}: {1e3 * median:.0f} ms a step without the trace')
  for name, (times, taken) in list(found.items())[:_SHOWN]:
    each = taken / _STEPS / 1e3
    print(f'{each:7.1f} ms {taken / total:5.1%} {times / _STEPS:4g} x {name}')


if __name__ == '__main__':
  main(*sys.argv[1:])
