"""Running many cells: which, in what order, and what becomes of the rest.

A finished cell is skipped; removing its file of results does it again, and so
does another configuration. The same command in a second shell shares the work:
each cell is done by one of them.
"""

from __future__ import annotations

import gc
import pathlib
import sys
import time
import traceback
from collections.abc import Callable, Iterable, Sequence

from experiments import cells, command_line, pages, paper, settings
from nph_jax import errors


def available(names: Iterable[str] = ()) -> list[str]:
  """`names` as they are, by default every method there is.

  Raises:
    UserError: one of them is no method.
  """
  from nph_jax.models import registry  # slow; wrong flags fail before

  every = paper.ordered([*registry.METHODS, *settings.VARIANTS])
  known = {*every, *settings.REFERENCES}
  if not names:
    return every
  missing = [name for name in names if name not in known]
  if missing:
    raise errors.UserError(
      f'--methods: {", ".join(missing)}: no such method; expected some of '
      f'{", ".join(sorted(known))}.'
    )
  return list(names)


def pairs(
  chosen: command_line.Options, methods: Sequence[str], bits: Sequence[int]
) -> list[tuple[str, int]]:
  """(method, bits): those of the command line, else `methods` and `bits`."""
  found = available(chosen.methods or methods)
  return [(method, b) for b in chosen.bits or bits for method in found]


def run_all(
  chosen: command_line.Options,
  cells_of: Callable[[command_line.Dataset, int], list[cells.Cell]],
) -> None:
  """Runs what is missing for all data sets and seeds; writes all tables.

  Seeds are outermost, so that a grid that was cut is whole for the first ones.
  What fails, a cell or the data of one, does not stop the rest.

  Args:
    chosen: the command line.
    cells_of: the cells of a data set and seed.

  Raises:
    UserError: some failed; which, and where their tracebacks are.
  """
  set_up()
  failed = []
  try:
    for seed in chosen.seeds:
      for dataset in chosen.datasets:
        try:
          wanted = cells_of(dataset, seed)
        except errors.UserError as error:
          print(f'{dataset.name}, seed {seed}: {error}', file=sys.stderr)
          failed.append(f'{dataset.name} of seed {seed}')
          continue
        failed += run(wanted, chosen.folders)
  finally:
    pages.write_all(chosen.folders.results)
  if failed:
    raise errors.UserError(
      f'failed: {", ".join(failed)}; the .log files of cells are under '
      f'{chosen.folders.scratch}, and the same command tries again.'
    )


def run(wanted: Sequence[cells.Cell], folders: cells.Folders) -> list[str]:
  """Runs the cells that are not done; returns those that failed."""
  failed = []
  for number, cell in enumerate(wanted, 1):
    if cell.is_done(folders):
      continue
    print(
      f'[{number}/{len(wanted)}] {cell.dataset} {cell.name}', file=sys.stderr
    )
    if not _run_one(cell, folders):
      failed.append(f'{cell.dataset}/{cell.name}')
  return failed


def run_again(
  cell: cells.Cell, folders: cells.Folders, paths: Sequence[pathlib.Path]
) -> None:
  """Runs a cell, done or not, unless its scratch files `paths` are there.

  Waits for another process that runs it. The record stays until the new one
  takes its place.
  """
  from experiments import running  # slow; wrong flags fail before

  with cells.locked(cell.lock(folders)):
    if not all(path.is_file() for path in paths):
      print(f'{cell.dataset} {cell.name}', file=sys.stderr)
      running.run(cell, folders)


def set_up() -> None:
  """What every process that runs cells does first."""
  import jax
  from absl import logging

  from nph_jax import allocator, compilation

  logging.set_verbosity(logging.WARNING)  # orbax reports every step of its
  allocator.keep_freed_memory()
  compilation.set_up()
  # Short compilations too: the same ones would come back in every cell.
  jax.config.update('jax_persistent_cache_min_compile_time_secs', 0)


def _run_one(cell: cells.Cell, folders: cells.Folders) -> bool:
  """Runs a cell unless another process does; says whether that went well."""
  import jax

  from experiments import running  # slow; wrong flags fail before

  folder = cell.workdir(folders)
  log = folder.with_name(f'{folder.name}.log')
  start = time.perf_counter()
  with cells.locked(cell.lock(folders), wait=False) as mine:
    if not mine or cell.is_done(folders):
      return True
    try:
      record = running.run(cell, folders)
    except Exception as error:  # whatever it is, the other cells go on
      log.write_text(traceback.format_exc())
      print(f'  failed: {error} ({log})', file=sys.stderr)
      return False
    finally:
      jax.clear_caches()  # programs of other shapes are of no more use
      gc.collect()
  log.unlink(missing_ok=True)
  value = record['map']['min_rk,expected'].get(str(settings.SUMMARY_K))
  took = time.perf_counter() - start
  print(f'  mAP@{settings.SUMMARY_K} {value}, {took:.0f} s', file=sys.stderr)
  return True


def default_pairs(
  chosen: command_line.Options, seed: int, full: bool = False
) -> list[tuple[str, int]]:
  """(method, bits) of the main grid: references, 32 bits, then the others.

  Args:
    chosen: its methods and bits, where given, instead of the defaults.
    seed: all of settings.MAIN_METHODS, and with the first one the others.
    full: all methods at all bits with all seeds.
  """
  first = settings.FIRST_BITS
  bits = sorted(chosen.bits or settings.BITS, key=lambda b: b != first)
  return [
    ('cosine', 0),
    *(('random', b) for b in bits),
    *(
      (method, b)
      for b in bits
      for method in available(chosen.methods)
      if full or chosen.methods or _is_default(method, b, seed)
    ),
  ]


def _is_default(method: str, bits: int, seed: int) -> bool:
  if method in settings.MAIN_METHODS:
    return True
  table3 = method in settings.ABLATIONS and bits in settings.ABLATION_BITS
  return seed == settings.SEEDS[0] and (table3 or bits == settings.FIRST_BITS)
