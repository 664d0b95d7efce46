"""The engines by name, and what each of them does."""

from __future__ import annotations

import pathlib
from typing import Protocol

import numpy as np

from nph_jax.retrieval.indexing import approximate, flat, milvus, records
from nph_jax.retrieval.indexing import live as live_lib


class Engine(Protocol):
  """Searches the codes that it is told of; the store is the truth.

  Attributes:
    applied: the state of the store that it already held when it was made.
  """

  applied: records.State

  def add(
    self, ids: np.ndarray, codes: np.ndarray, order: np.ndarray | None
  ) -> None:
    """Adds codes [n, P] that Live has by now; `order` as Live.add gave it."""

  def remove(self, ids: np.ndarray, positions: np.ndarray) -> None:
    """Removes ids at these positions of Live, which still has them."""

  def search(self, codes: np.ndarray, k: int) -> tuple[np.ndarray, np.ndarray]:
    """The nearest of each query, k at most the number of videos.

    Returns:
      Distances int32 [Q, k] and ids int64 [Q, k] by (distance, id), -1 where
      nothing was found.
    """

  def reset(self) -> None:
    """Forgets everything."""

  def save(self, state: records.State) -> None:
    """Is told that it holds all of `state`."""

  def close(self, state: records.State, read_only: bool) -> None:
    """Is told that it is not used any more."""


def create(
  settings: records.Settings,
  live: live_lib.Live,
  everything: approximate.Everything,
  directory: pathlib.Path,
  read_only: bool,
) -> Engine:
  """The engine that `settings` name.

  Args:
    settings: of the index.
    live: whose positions and ids the engine may use.
    everything: the ids and codes that are live.
    directory: of the engine's own files.
    read_only: whether they may be read only.

  Raises:
    UserError: it cannot be reached.
  """
  name = settings.engine
  if name in milvus.INDEX_TYPES:
    return milvus.MilvusEngine(settings, live, directory, read_only)
  if name == 'flat':
    return flat.FlatEngine(settings.num_bits, live)
  path = directory / 'engine.faiss'
  return approximate.ApproximateEngine(
    name, settings.num_bits, everything, path
  )
