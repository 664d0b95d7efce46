"""The command `search` of `python -m nph_jax.index`."""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from nph_jax.index import inputs, metadata, records, video_index


def search(flags: argparse.Namespace) -> None:
  """Prints the nearest videos of each query."""
  k = 10 if flags.k is None and flags.radius is None else flags.k
  where = inputs.where(flags.where)
  hasher = inputs.bundle(flags)
  with video_index.VideoIndex.open(flags.index, read_only=True) as index:
    inputs.check_bundle(index, hasher)
    number = 0
    for codes, relaxed in _queries(flags, hasher, index):
      # The video itself is one of them.
      wanted = k + 1 if k and flags.id is not None else k
      found = index.search(
        codes,
        wanted,
        radius=flags.radius,
        where=where,
        rank=flags.rank,
        rerank=flags.rerank,
        relaxed=relaxed,
      )
      for hits in found:
        hits = [hit for hit in hits if hit.id != flags.id][:k]
        _print(number, hits, flags.json)
        number += 1


def _queries(
  flags: argparse.Namespace, hasher: Any, index: video_index.VideoIndex
) -> Iterator[tuple[np.ndarray, np.ndarray | None]]:
  """Codes and t of the queries, in blocks."""
  if flags.id is None:
    nothing = metadata.Metadata()
    for block in inputs.source_of(flags, hasher, nothing).blocks(0):
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
