"""The commands of `python -m nph_jax.index`, given their parsed flags."""

from __future__ import annotations

import argparse
import contextlib
import json
import pathlib
import sys
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import numpy as np

from nph_jax import errors
from nph_jax.index import (
  arguments,
  filling,
  folder,
  inputs,
  records,
  sources,
)
from nph_jax.index.video_index import VideoIndex


def build(flags: argparse.Namespace) -> None:
  """Makes the index `--out`, or goes on with one that was interrupted."""
  hasher = inputs.bundle(flags)
  source = inputs.source(flags, hasher)
  if hasher is None:
    _note(
      f'{flags.out}: does not know the bundle of its codes, so that another '
      "one's will not be noticed; --bundle with --codes records it"
    )
  out = pathlib.Path(flags.out)
  with _nothing_empty_left(out), _begun(flags, hasher, source) as index:
    filling.add(index, source)
    print(f'{flags.out}: {len(index)} videos, {index.num_bits} bits')


@contextlib.contextmanager
def _nothing_empty_left(directory: pathlib.Path) -> Iterator[None]:
  """Takes an index back that was made for videos whose first ones are bad.

  Mended, they are other videos, which would not go on with it.
  """
  was_there, made = directory.exists(), not folder.is_index(directory)
  try:
    yield
  except errors.UserError:
    if made and folder.is_index(directory):
      with VideoIndex.open(directory, read_only=True) as index:
        empty = not len(index)
      if empty:
        folder.clear(directory, keep=was_there)
    raise


def _begun(flags: argparse.Namespace, hasher: Any, source: Any) -> VideoIndex:
  """The index `--out`, new or of an interrupted build of the same videos."""
  settings = {
    'engine': flags.engine,
    'uri': flags.uri,
    'bundle_digest': hasher.digest if hasher else None,
    'keep_relaxed': flags.codes is None and not flags.no_relaxed,
  }
  if not folder.is_index(pathlib.Path(flags.out)):
    job = source.name, 0, source.num_videos
    return VideoIndex.create(flags.out, source.num_bits, **settings, job=job)
  index = VideoIndex.open(flags.out)
  problem = _why_not(index, source, settings.values())
  if problem is None:
    return index
  index.close()
  raise errors.UserError(f'{flags.out}: an index is there already{problem}')


def _why_not(
  index: VideoIndex, source: Any, settings: Iterable[Any]
) -> str | None:
  """Why `build` cannot go on with an index that is there; None if it can."""
  jobs = index.jobs()
  changed = sources.changed_flags(source.name, jobs)
  if source.name not in jobs and not changed:
    done = source.name in index.finished()
    return (
      f'{", and these videos are in it" if done else ""}; add to it with '
      '`python -m nph_jax.index add`, or give another --out.'
    )
  found = {
    '--engine': index.engine,
    '--uri': index.uri,
    '--bundle': index.bundle_digest,
    '--no_relaxed': index.keeps_relaxed,
  }
  changed += [
    flag for flag, wanted in zip(found, settings) if found[flag] != wanted
  ]
  if not changed:
    return None
  return (
    f', of a build that was cut; it was begun with another '
    f'{" and ".join(changed)}; give the same flags to go on with it, or '
    'another --out.'
  )


def add(flags: argparse.Namespace) -> None:
  """Adds videos to `--index`, or goes on with an interrupted addition.

  Those that are there already are skipped, unless `--again`: they are known by
  their features or their file's hash. An addition that is done is not begun
  anew: whether the last command was cut a moment before or after its end is not
  for people to find.
  """
  with VideoIndex.open(flags.index) as index:
    hasher = inputs.bundle(flags, index.bundle_digest)
    source = inputs.source(flags, hasher)
    inputs.check_bundle(index, hasher)
    if hasher is None and index.bundle_digest is not None:
      _note(
        f'{flags.codes}: taken for codes of the bundle {index.bundle_digest}; '
        '--bundle checks that'
      )
    if not flags.again and _is_added(index, flags, source):
      print(
        f'{flags.index}: these videos were added already, {len(index)} in all; '
        '--again adds them once more'
      )
      return
    before = len(index)
    skipped = filling.add(index, source, skip_known=not flags.again)
    known = f', {skipped} skipped that were there already' if skipped else ''
    print(
      f'{flags.index}: {len(index) - before} videos added{known}, '
      f'{len(index)} in all'
    )


def _is_added(
  index: VideoIndex, flags: argparse.Namespace, source: Any
) -> bool:
  jobs, finished = index.jobs(), index.finished()
  changed = sources.changed_flags(source.name, [*jobs, *finished])
  if changed:
    raise errors.UserError(
      f'{flags.index}: these videos were added before, or some of them, with '
      f'another {" and ".join(changed)}; give the same flags, or --again to '
      'add all of them once more.'
    )
  return source.name in finished


def remove(flags: argparse.Namespace) -> None:
  """Removes `--ids`."""
  try:
    ids = [int(text) for text in flags.ids.split(',')]
    chosen = np.unique(np.array(ids, np.int64))
  except (ValueError, OverflowError) as error:
    raise errors.UserError(
      f'--ids={flags.ids}: expected whole numbers, by commas.'
    ) from error
  with VideoIndex.open(flags.index) as index:
    count = index.remove(chosen)
    print(f'{flags.index}: {count} videos removed, {len(index)} left')


def rehash(flags: argparse.Namespace) -> None:
  """Gives all videos of `--index` the codes of another `--bundle`."""
  hasher = inputs.bundle(flags)
  source = inputs.source(flags, hasher)
  with VideoIndex.open(flags.index) as index:
    filling.rehash(index, source, hasher, flags.in_order)
    print(
      f'{flags.index}: {len(index)} videos rehashed, {index.num_bits} bits of '
      f'the bundle {index.bundle_digest}'
    )


def backup(flags: argparse.Namespace) -> None:
  """Copies `--index`, which may be in use, into the file `--out`."""
  with VideoIndex.open(flags.index, read_only=True) as index:
    index.backup(flags.out)
  print(f'{flags.out}: holds all of {flags.index}')


def restore(flags: argparse.Namespace) -> None:
  """Makes the index `--out` of the file `--backup`."""
  VideoIndex.restore(flags.backup, flags.out)
  with VideoIndex.open(flags.out, read_only=True) as index:
    print(f'{flags.out}: {len(index)} videos, as they were written')


def info(flags: argparse.Namespace) -> None:
  """Prints what is in `--index`."""
  with VideoIndex.open(flags.index, read_only=True) as index:
    if flags.verify:
      index.verify()
    about = index.about()
  if flags.json:
    print(json.dumps(about, indent=2))
    return
  if about['bundle'] is None:
    about['bundle'] = 'unknown; any of as many bits is accepted'
  for name, value in about.items():
    print(f'{name}: {value}')


def search(flags: argparse.Namespace) -> None:
  """Prints the nearest videos of each query."""
  k = 10 if flags.k is None and flags.radius is None else flags.k
  # The video itself is one of them.
  wanted = k + 1 if k and flags.id is not None else k
  where, number = arguments.where(flags.where), 0
  with VideoIndex.open(flags.index, read_only=True) as index:
    hasher = inputs.bundle(flags, index.bundle_digest)
    inputs.check_bundle(index, hasher)
    for codes, relaxed in _queries(flags, hasher, index):
      for hits in index.search(
        codes,
        wanted,
        radius=flags.radius,
        where=where,
        rank=flags.rank,
        rerank=flags.rerank,
        relaxed=relaxed,
      ):
        hits = [hit for hit in hits if hit.id != flags.id][:k]
        _print(number, hits, flags.json)
        number += 1


def _queries(
  flags: argparse.Namespace, hasher: Any, index: VideoIndex
) -> Iterator[tuple[np.ndarray, np.ndarray | None]]:
  """Codes and t of the queries, in blocks."""
  if flags.id is None:
    for block in inputs.source(flags, hasher).blocks(0):
      yield block.codes, block.relaxed
    return
  code, relaxed, _ = index.get(flags.id)
  yield code[None], None if relaxed is None else relaxed[None]


def _print(number: int, hits: Sequence[records.Hit], as_json: bool) -> None:
  if as_json:
    results = [vars(hit) for hit in hits]
    print(json.dumps({'query': number, 'results': results}))
    return
  print(f'query {number}:')
  for hit in hits:
    score = '' if hit.score is None else f'  cosine {hit.score:.4f}'
    about = ', '.join(map(str, hit.metadata.get('labels', [])))
    path = hit.metadata.get('path', '')
    print(f'  {hit.id:>8}  {hit.distance:>3} bits{score}  {path}  {about}')


def _note(sentence: str) -> None:
  print(f'note: {sentence}.', file=sys.stderr)
