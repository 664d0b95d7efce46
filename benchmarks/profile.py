"""Where a training step's time goes, by what XLA ran.

  python -m benchmarks.profile [fcvid] [bfloat16]

Prints milliseconds and shares of a step: products over all frames, recurrences
(the loops over frames, their products included), and what is between them.
Instructions that ran at the same time are counted each: the shares are of
their sum, which is more than the step took.
"""

from __future__ import annotations

import collections
import gzip
import json
import pathlib
import re
import sys
import tempfile
from collections.abc import Iterable, Mapping
from typing import Any

from benchmarks import contenders, measuring, sizes

_STEPS = 5
_KINDS = {
  'products over all frames': re.compile(r'^(ynn_fusion|dot)'),
  'copies and conversions': re.compile(r'copy|convert|transpose|bitcast'),
  'other element by element': re.compile(r''),
}


def shares(events: Iterable[Mapping[str, Any]], steps: int) -> dict[str, float]:
  """Microseconds by kind, of a trace of so many steps by XLA's CPU client.

  What ran more than once a step is of a loop's body. The loops themselves are
  not always in a trace, and are left out.
  """
  events = list(filter(_is_instruction, events))
  times = collections.Counter(event['name'] for event in events)
  found = collections.Counter()
  for event in events:
    kind = 'recurrences' if times[event['name']] > steps else _kind(event)
    found[kind] += event['dur']
  return dict(found)


def _kind(event: Mapping[str, Any]) -> str:
  return next(
    k for k, pattern in _KINDS.items() if pattern.search(event['name'])
  )


def _is_instruction(event: Mapping[str, Any]) -> bool:
  return (
    event.get('ph') == 'X'
    and 'hlo_module' in event.get('args', {})
    and not event['name'].startswith(('while', 'call'))
  )


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
  """Prints the shares of one step of ours."""
  run = contenders.ours(sizes.SIZES[size], precision=precision)
  run()
  seconds = measuring.seconds(lambda: [run() for _ in range(_STEPS)]) / _STEPS
  found = shares(trace_of(run), _STEPS)
  total = sum(found.values())
  print(f'{size}, {precision}: {1e3 * seconds:.0f} ms a step without the trace')
  for kind, taken in sorted(found.items(), key=lambda item: -item[1]):
    print(f'{taken / _STEPS / 1e3:7.1f} ms {taken / total:5.0%} {kind}')


if __name__ == '__main__':
  main(*sys.argv[1:])
