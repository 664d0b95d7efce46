"""Videos and queries of many callers, hashed and searched in one call each."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Sequence
from typing import Any, Protocol

import numpy as np

from nph_jax import errors


@dataclasses.dataclass(frozen=True)
class Code:
  """A video's code uint8 [K / 8], and its t float32 [K], None if unknown."""

  packed: np.ndarray
  relaxed: np.ndarray | None


@dataclasses.dataclass(frozen=True)
class Query:
  """What one caller asks.

  Attributes:
    code: what is searched with.
    k: results wanted.
    radius: largest distance in bits, or None.
    rerank: number of nearest videos to order by t; 0 or at least k.
    where: what the metadata of results must hold.
  """

  code: Code
  k: int
  radius: int | None = None
  rerank: int = 0
  where: dict[str, Any] | None = None


class _Hasher(Protocol):
  """What is needed of export.hasher.Hasher."""

  def encode_relaxed(
    self, frames: np.ndarray
  ) -> tuple[np.ndarray, np.ndarray]: ...


class _Index(Protocol):
  """What is needed of index.VideoIndex."""

  def search(self, codes: np.ndarray, k: int, **options: Any) -> list: ...


class Hashing:
  """Hashes a batch of videos; what a Batcher runs."""

  def __init__(self, hasher: _Hasher):
    self._hasher = hasher

  def __call__(self, videos: Sequence[np.ndarray]) -> list[Code]:
    """The code of each video, frames float16 [M, L]."""
    codes, relaxed = self._hasher.encode_relaxed(np.stack(videos))
    return [Code(*both) for both in zip(codes, relaxed, strict=True)]


class Searching:
  """Searches for a batch of queries; what a Batcher runs."""

  def __init__(self, index: _Index):
    self._index = index

  def __call__(self, queries: Sequence[Query]) -> list[list[Any] | Exception]:
    """Hits of each query, an exception for one that cannot have any.

    One search for all that filter and re-rank alike.
    """
    answers: list[Any] = [None] * len(queries)
    groups: dict[Any, list[int]] = {}
    for place, query in enumerate(queries):
      groups.setdefault(_options_key(query), []).append(place)
    for places in groups.values():
      found = self._search([queries[place] for place in places])
      for place, answer in zip(places, found, strict=True):
        answers[place] = answer
    return answers

  def _search(self, queries: Sequence[Query]) -> list[Any]:
    """The hits of queries that differ in code and k only."""
    first = queries[0]
    options = {}
    if first.rerank:
      options = {
        'rerank': first.rerank,
        'relaxed': np.stack([query.code.relaxed for query in queries]),
      }
    try:
      found = self._index.search(
        np.stack([query.code.packed for query in queries]),
        # The nearest k are the first k of the nearest more, so that callers who
        # want different numbers share a search.
        max(query.k for query in queries),
        radius=first.radius,
        where=first.where,
        **options,
      )
    except errors.UserError as error:
      if len(queries) == 1:
        return [error]
      # One of them may be at fault, for which the others shall not pay.
      return [answer for query in queries for answer in self._search([query])]
    return [hits[: query.k] for query, hits in zip(queries, found, strict=True)]


def _options_key(query: Query) -> tuple[Any, ...]:
  where = json.dumps(query.where, sort_keys=True)
  return query.radius, query.rerank, where
