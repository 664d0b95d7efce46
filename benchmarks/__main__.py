"""All benchmarks, or one part of them; see benchmarks/README.md.

  python -m benchmarks [--part=step] [--quick]

Each part writes results/PROCESSOR/PART.json, then the tables of
benchmarks/README.md are written from all that is there. Meant for an otherwise
idle machine.
"""

from __future__ import annotations

import argparse
import importlib.util
import os
import pathlib
import sys
import time

from benchmarks import (
  encode,
  evaluate,
  index,
  machine,
  methods,
  pipeline,
  service,
  step,
  table,
)
from nph_jax import errors

PARTS = {
  'step': step,
  'methods': methods,
  'encode': encode,
  'evaluate': evaluate,
  'pipeline': pipeline,
  'index': index,
  'service': service,
}

_BESIDE_PYTORCH = ('step', 'encode')
_BUSY = 0.5  # average of running programs in the last minute


def measure(
  name: str, folder: pathlib.Path, quick: bool, load: float, **options: int
) -> None:
  """Runs one part and writes its results.

  Args:
    name: of PARTS.
    folder: of the results.
    quick: at tiny sizes.
    load: of the machine by other programs, before any part ran.
    **options: of that part.

  Raises:
    UserError: it failed, or the results cannot be written.
  """
  if name in _BESIDE_PYTORCH and not importlib.util.find_spec('torch'):
    raise errors.UserError(
      f'--part={name}: PyTorch is not installed; run `make bench`, which does '
      "that, or pip install -e '.[bench]'."
    )
  print(f'{name}:', file=sys.stderr, flush=True)
  found = {**machine.describe(), 'load': load}
  start = time.perf_counter()
  results = PARTS[name].run(quick, **options)
  taken = time.perf_counter() - start
  path = table.write(folder, name, {**found, 'taken': taken}, results)
  print(f'  {path}, {taken:.0f} s', file=sys.stderr, flush=True)


def main(argv: list[str] | None = None) -> None:
  """Measures the chosen parts, then writes the tables anew.

  Raises:
    UserError: a bad flag, or parts that could not be measured; the others were.
  """
  flags = _parser().parse_args(argv)
  folder = table.QUICK_RESULTS if flags.quick else table.RESULTS
  load, failed = os.getloadavg()[0], []
  if load > _BUSY:
    print(
      f'warning: the load of this machine is {load:.1f} before anything runs; '
      'programs that wait by spinning, as PyTorch does, suffer most from that.',
      file=sys.stderr,
    )
  for name in [flags.part] if flags.part else PARTS:
    try:
      options = {}
      if name == 'step':
        options['compile_seconds'] = flags.compile_seconds
      measure(name, folder, flags.quick, load, **options)
    except errors.UserError as error:
      print(f'error: {error}', file=sys.stderr)
      failed.append(name)
  if flags.quick:
    print(table.text(folder))
  else:
    table.rewrite()
  if failed:
    raise errors.UserError(f'not measured: {", ".join(failed)}; see above.')


def _parser() -> argparse.ArgumentParser:
  parser = errors.Parser(
    prog='python -m benchmarks',
    description='Speed and memory beside plain PyTorch.',
    allow_abbrev=False,
  )
  parser.add_argument('--part', choices=PARTS, help='one alone')
  parser.add_argument(
    '--quick',
    action='store_true',
    help='tiny sizes, to see that all of it runs; tables are printed only',
  )
  parser.add_argument(
    '--compile_seconds',
    type=int,
    default=step.COMPILE_SECONDS,
    help='that torch.compile may take for a step; 0 leaves it out',
  )
  return parser


if __name__ == '__main__':
  errors.run_main(main)
