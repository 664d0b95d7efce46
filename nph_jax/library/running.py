"""The commands that change or serve a library, given their parsed flags."""

from __future__ import annotations

import argparse
import pathlib
import sys
from collections.abc import Mapping, Sequence

from nph_jax import allocator, errors
from nph_jax.library import (
  adding,
  codes,
  commands,
  extraction,
  following,
  scanning,
)
from nph_jax.library import library as library_lib

_OF_A_NEW_ONE = ('backbone', 'weights', 'num_frames')


def add(flags: argparse.Namespace) -> None:
  """Adds videos and says what became of each."""
  scanning.check(flags.videos)
  allocator.keep_freed_memory()
  decoding = extraction.Decoding(flags.workers, flags.time_limit)
  with library_lib.Library(flags.index) as library:
    settle(library, flags)
    report = adding.run(
      library, flags.videos, decoding, prune=flags.prune, retry=flags.retry
    )
    _print(report, flags.prune)
    if library.bundle is None:
      raise errors.UserError('none of the videos could be read.')
    count = len(library.index)
    print(f'{flags.index}: {count:,} videos, {codes.words(library.bundle)}')
  say_next(flags.index)


def settle(library: library_lib.Library, flags: argparse.Namespace) -> None:
  """Makes the settings of a new library, and checks those of an old one."""
  old = library.store.settings if library.store.files() else {}
  given = [getattr(flags, name) for name in _OF_A_NEW_ONE]
  wanted = extraction.settings(*given)
  if not old:
    library.store.set(**wanted)
  for name, value in zip(_OF_A_NEW_ONE, given):
    if name in old and value is not None and old[name] != wanted[name]:
      raise errors.UserError(
        f'--{name}={value}: the library was made with {old[name]}; leave it '
        'out, or give another --index.'
      )
  if flags.bundle is not None:
    following.give(library, flags.bundle)
  if flags.segments is not None:
    library.store.cut(flags.segments or None)
  if flags.labels is not None:
    library.label(flags.labels)


def _print(report: adding.Report, pruned: bool) -> None:
  for path, why in report.bad.items():
    print(f'bad: {why if path in why else f"{path}: {why}"}', file=sys.stderr)
  for path in report.gone:
    print(f'gone: {path}', file=sys.stderr)
  print(_words(report, pruned))
  if report.ignored:
    print(f'ignored by suffix: {_listed(report.ignored)}')
  if report.taught:
    print(report.taught)


def _words(report: adding.Report, pruned: bool) -> str:
  found = report.counts
  parts = {
    'added': found['added'],
    'known': found['known'],
    'changed': found['changed'],
    'moved': found['moved'],
    'taken out before, left out': found['removed'],
    'taken out' if pruned else 'gone (--prune takes them out)': len(
      report.gone
    ),
    'bad': len(report.bad),
  }
  shown = [f'{count:,} {name}' for name, count in parts.items() if count]
  return ', '.join(shown) or 'nothing there'


def _listed(ignored: Mapping[str, int]) -> str:
  some = [f'{count:,} {suffix}' for suffix, count in ignored.items()]
  more = [f'{len(some) - 12} other kinds'] if len(some) > 12 else []
  return ', '.join(some[:12] + more)


def say_next(index: pathlib.Path) -> None:
  """Says what to do with the library in this folder."""
  where = '' if index == commands.home() else f' --index={index}'
  print(f'next: nph-jax search CLIP{where}, or nph-jax serve{where}')


def refit(flags: argparse.Namespace) -> None:
  """Learns the codes anew now."""
  allocator.keep_freed_memory()
  with library_lib.Library(flags.index, 'change') as library:
    following.follow(library)
    print(f'{flags.index}: {following.learn(library, force=True)}')


def serve(flags: argparse.Namespace, rest: Sequence[str]) -> None:
  """Serves a library, or another index whose bundle is named."""
  arguments = [f'--index={flags.index}', *rest]
  bundle, videos = flags.bundle, flags.videos
  if bundle is None:
    with library_lib.Library(flags.index, 'read') as library:
      bundle = codes.path_of(library.folder, library.bundle.digest)
      videos = videos or library.root()
      weights = library.store.settings['weights']
    if weights and not any(x.startswith('--weights') for x in rest):
      arguments.append(f'--weights={weights}')
  arguments.append(f'--bundle={bundle}')
  if videos:
    arguments.append(f'--videos={videos}')
  from nph_jax import serve as service

  service.main(arguments)
