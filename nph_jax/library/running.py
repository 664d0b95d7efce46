"""The commands that change or serve a library, given their parsed flags."""

from __future__ import annotations

import argparse
import os
import pathlib
from collections.abc import Sequence

from nph_jax import allocator, errors
from nph_jax.extraction import backbones
from nph_jax.library import (
  adding,
  codes,
  commands,
  extraction,
  following,
  scanning,
)
from nph_jax.library import library as library_lib


def add(flags: argparse.Namespace) -> None:
  """Adds videos and says what became of each."""
  scanning.check(flags.videos)
  allocator.keep_freed_memory()
  pixels = {name: getattr(flags, name) for name in ('size', 'mean', 'scale')}
  if flags.backbone is not None or any(pixels.values()):
    flags.backbone = backbones.named(flags.backbone or '', **pixels)
  decoding = extraction.Decoding.of(flags)
  with library_lib.Library(flags.index) as library:
    settle(library, flags)
    report = adding.run(
      library, flags.videos, decoding, prune=flags.prune, retry=flags.retry
    )
    report.show(flags.prune)
    if library.bundle is None:
      raise errors.UserError('none of the videos could be read.')
    count = len(library.index)
    print(f'{flags.index}: {count:,} videos, {codes.words(library.bundle)}')
  say_next(flags.index)


def settle(library: library_lib.Library, flags: argparse.Namespace) -> None:
  """Makes the settings of a new library, and checks those of an old one."""
  old = library.store.settings if library.store.files() else {}
  given = {
    'backbone': flags.backbone,
    'weights': flags.weights and os.path.abspath(flags.weights),
    'num_frames': flags.num_frames,
  }
  for name, value in given.items():
    if old and value is not None and old[name] != value:
      raise errors.UserError(
        f'--{name}={value}: the library was made with {old[name]}; leave it '
        'out, or give another --index.'
      )
  if not old:
    library.store.set(**extraction.settings(**given))
  if flags.bundle is not None:
    following.give(library, flags.bundle)
  if flags.segments is not None:
    library.store.cut(flags.segments or None)
  if flags.labels is not None:
    library.label(flags.labels)


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
