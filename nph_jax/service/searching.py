"""Searches of many callers, asked of the index in one call.

With 48 callers that takes a good quarter less processor time a search than one
call for each (README.md, "What is done together").
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

from nph_jax.index import asymmetric


class Search(NamedTuple):
  """One caller's: code uint8 [K / 8], t float32 [K] or None, and the rest."""

  code: np.ndarray
  relaxed: np.ndarray | None
  k: int
  options: dict[str, Any]


def run(index: Any, searches: Sequence[Search]) -> list[Any]:
  """The hits of each, or the exception that its search raised.

  Args:
    index: index.VideoIndex.
    searches: those that want the same share a call.
  """
  groups: dict[str, list[int]] = {}
  for place, one in enumerate(searches):
    wanted = [one.k, one.relaxed is None, one.options]
    groups.setdefault(json.dumps(wanted), []).append(place)
  results: list[Any] = [None] * len(searches)
  for places in groups.values():
    found = _together(index, [searches[place] for place in places])
    for place, result in zip(places, found, strict=True):
      results[place] = result
  return results


def similarity(hit: Any, search: Search) -> float:
  """1 of the same, 0 of strangers by chance; in the order of the results."""
  if hit.score is None:
    return bounded(1 - 2 * hit.distance / (8 * len(search.code)))
  if search.options['rerank']:
    return bounded(hit.score)
  # Of t no code has more than its own, which has less than 1.
  own = float(asymmetric.cosines(search.code[None], search.relaxed)[0])
  return bounded(hit.score / own if own > 0 else 0.0)


def bounded(value: float) -> float:
  """A similarity as it is told."""
  return round(min(max(value, -1.0), 1.0), 4)


def _together(index: Any, searches: Sequence[Search]) -> list[Any]:
  codes, relaxed, (k, *_), (options, *_) = zip(*searches, strict=True)
  t = None if relaxed[0] is None else np.stack(relaxed)
  try:
    return index.search(np.stack(codes), k, relaxed=t, **options)
  except Exception as error:
    return [error] * len(searches)
