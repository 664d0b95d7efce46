"""What `nph-jax search` does: the nearest videos of a clip, or of a video."""

from __future__ import annotations

import argparse
import json
import os
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from nph_jax import errors
from nph_jax.extraction import files
from nph_jax.index import Hit, arguments
from nph_jax.library import codes, extraction, store
from nph_jax.library import library as library_lib

Query = tuple[int | None, np.ndarray, np.ndarray, Mapping[str, Any]]


def run(flags: argparse.Namespace) -> None:
  """Prints what was searched for and what is nearest.

  Raises:
    UserError: there is no such video, it cannot be decoded, or no video has
      what `--where` asks for.
  """
  where = arguments.where(flags.where)
  with library_lib.Library(flags.index, 'read') as library:
    if os.path.exists(flags.query) and library.index.has_segments():
      video, about, found = _moments(library, flags, where)
    else:
      video, code, relaxed, about = _query(library, flags)
      found = library.search(code, relaxed, flags.k + 1, where)
    hits = [hit for hit in found if hit.id != video][: flags.k]
    if not found and where:
      raise errors.UserError(_nothing(library, where))
    _print(library, about, hits, flags.json)


def _query(library: library_lib.Library, flags: argparse.Namespace) -> Query:
  """Id in the library or None, code [P], t [K], and metadata."""
  if not os.path.exists(flags.query):
    if not (flags.query.isdecimal() and len(flags.query) < 19):
      raise errors.UserError(
        f'{flags.query}: no such file, and no id; give a video, or the id of '
        'a result.'
      )
    return _indexed(library, int(flags.query))
  if known := _known(library, flags):
    return _indexed(library, known.video)
  about, frames = _extracted(library, flags)
  code, relaxed = library.hasher.encode_query(frames[None])
  return None, code[0], relaxed[0], about


def _moments(
  library: library_lib.Library,
  flags: argparse.Namespace,
  where: dict[str, str] | None,
) -> tuple[int | None, Mapping[str, Any], list[Hit]]:
  """Id in the library or None, metadata, and where the clip may be."""
  if known := _known(library, flags):
    about, (frames,) = library.metadata(known), library.store.frames([known])
  else:
    about, frames = _extracted(library, flags)
  found = library.moments(frames, about, flags.k + 1, where)
  return known and known.video, about, found


def _known(
  library: library_lib.Library, flags: argparse.Namespace
) -> store.File | None:
  """What the library has of the clip, if that is a video of it."""
  path = os.path.abspath(flags.query)
  for file in library.videos():
    if file.path == path and file.stamp == files.stamp(path):
      return file
  return None


def _extracted(
  library: library_lib.Library, flags: argparse.Namespace
) -> tuple[dict[str, Any], np.ndarray]:
  path = os.path.abspath(flags.query)
  decoding = extraction.Decoding.of(flags)
  record, frames = extraction.of_clip(path, library.store.settings, decoding)
  return {**record, 'path': path}, frames


def _indexed(library: library_lib.Library, video: int) -> Query:
  return (video, *library.index.get(video))


def _nothing(library: library_lib.Library, where: Mapping[str, str]) -> str:
  """Why nothing was found: no video has it, but maybe in another case."""
  filters = ' and '.join(f'{name}={where[name]}' for name in where)
  close: dict[str, None] = {}
  for _, about in library.items():
    for name, value in where.items():
      values = about.get(name)
      for one in values if isinstance(values, list) else [values]:
        if str(one) != value and str(one).casefold() == value.casefold():
          close[f'{name}={one}'] = None
  hint = f'there is {", ".join(close)}' if close else 'no other case has it'
  return f'--where {filters}: no video has that; {hint}.'


def _print(
  library: library_lib.Library,
  about: Mapping[str, Any],
  hits: Sequence[Hit],
  as_json: bool,
) -> None:
  if as_json:
    results = [_fields(hit) for hit in hits]
    print(json.dumps({'query': dict(about), 'results': results}))
    return
  bits = library.index.num_bits
  print(f'searched for: {_described(about)}')
  print(f'among {len(library.index):,} videos, {codes.words(library.bundle)}')
  for hit in hits:
    print(
      f'{hit.id:>7}  {hit.score:5.2f}  {hit.distance:>3} of {bits} bits differ'
      f'  {_described(hit.metadata, hit)}'
    )


def _fields(hit: Hit) -> dict[str, Any]:
  """What a program is told; of a whole video no moment."""
  whole = hit.start is None
  hidden = ('start', 'end') if whole else ()
  return {x: value for x, value in vars(hit).items() if x not in hidden}


def _described(about: Mapping[str, Any], hit: Hit | None = None) -> str:
  """Path, moment, duration and labels."""
  name = about.get('path') or about.get('name') or 'an uploaded video'
  if hit is not None and hit.start is not None:
    name += f' from {_clock(hit.start)} to {_clock(hit.end)}'
  labels = ', '.join(map(str, about.get('labels', [])))
  return '  '.join(
    x for x in (name, _clock(about.get('duration')), labels) if x
  )


def _clock(seconds: Any) -> str:
  """As 1:20, or 1:02:03; '' where it is unknown."""
  if not isinstance(seconds, int | float):
    return ''
  minutes, rest = divmod(round(seconds), 60)
  hours, minutes = divmod(minutes, 60)
  if hours:
    return f'{hours}:{minutes:02}:{rest:02}'
  return f'{minutes}:{rest:02}'
