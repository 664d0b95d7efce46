"""Milvus: a local file (Milvus Lite) or a cluster, by the same calls."""

from __future__ import annotations

import os
import pathlib
from collections.abc import Iterator

import numpy as np

from nph_jax.index import engines, errors, records
from nph_jax.index import live as live_lib
from nph_jax.index import milvus_connection as connection
from nph_jax.index import store as store_lib

INDEX_TYPES = {'milvus': 'BIN_FLAT', 'milvus_ivf': 'BIN_IVF_FLAT'}
DEEPEST = 16_384  # results that Milvus returns at most
_SPARE = 100  # results beyond k, to see the end of the last distance
_BLOCK = 10_000  # videos to one call
_QUERIES = 100  # to one call
_LISTS, _PROBED = 1024, 128


class MilvusEngine(engines.Flat):
  """A collection that the writer keeps up with the store.

  'milvus' is exact. Ties are broken by id as long as not more than `DEEPEST`
  videos are as near as the last result; beyond that Milvus chooses among them.
  """

  def __init__(
    self, store: store_lib.Store, live: live_lib.Live, directory: pathlib.Path
  ):
    """Connects, and makes the collection if need be.

    Raises:
      Unavailable: pymilvus is not installed, or Milvus does not do as asked.
    """
    super().__init__(store, live)
    self._uri = store.settings.uri or os.fspath(directory / 'milvus.db')
    self._collection, self.applied = connection.recall(store)
    with connection.calling(self._uri):
      self._client = connection.open_client(self._uri)
      if not self._client.has_collection(self._collection):
        self.applied = records.State()
        self._create()

  def follow(self, changes: records.Changes) -> None:
    """Tells the collection, or nothing where a writer elsewhere does it."""
    if not self._store.read_only:
      with connection.calling(self._uri):
        if changes.since != self.applied:
          self._client.drop_collection(self._collection)
          self._create()
        self._remove(changes.removed)
        self._add(changes.ids, changes.codes)
      connection.remember(self._store, self._collection, changes.state)
    self.applied = changes.state

  def compacted(self, state: records.State) -> bool:
    """Notes that the collection still holds all; see Flat."""
    connection.remember(self._store, self._collection, state)
    return super().compacted(state)

  def _add(self, ids: np.ndarray, codes: np.ndarray) -> None:
    for start in range(0, len(ids), _BLOCK):
      part = slice(start, start + _BLOCK)
      rows = [
        {'id': video, 'code': code.tobytes()}
        for video, code in zip(ids[part].tolist(), codes[part])
      ]
      # Not insert: after a crash the same are added once more.
      self._client.upsert(self._collection, rows)

  def _remove(self, ids: np.ndarray) -> None:
    for start in range(0, len(ids), _BLOCK):
      part = ids[start : start + _BLOCK].tolist()
      self._client.delete(self._collection, ids=part)

  def search(self, codes: np.ndarray, k: int) -> tuple[np.ndarray, np.ndarray]:
    """Distances and ids [Q, k] by (distance, id), -1 where fewer are found.

    Raises:
      InvalidRequest: more results than Milvus returns.
      Unavailable: it cannot be reached.
    """
    if k > DEEPEST:
      raise errors.InvalidRequest(
        f'{self._uri}: Milvus returns {DEEPEST:,} results at most, not {k:,}; '
        'ask for fewer or a smaller radius, or use another engine.'
      )
    distances = np.full((len(codes), k), -1, np.int32)
    ids = np.full((len(codes), k), -1, np.int64)
    open_rows, depth = np.arange(len(codes)), min(k + _SPARE, DEEPEST)
    while len(open_rows):
      unfinished = []
      for row, found in zip(open_rows, self._nearest(codes[open_rows], depth)):
        whole = len(found) < depth or depth == DEEPEST
        found = found[self._is_live(found[:, 1])]
        if not whole and (len(found) < k or found[-1, 0] == found[k - 1, 0]):
          unfinished.append(row)
          continue
        kept = found[np.lexsort((found[:, 1], found[:, 0]))][:k]
        distances[row, : len(kept)] = kept[:, 0]
        ids[row, : len(kept)] = kept[:, 1]
      open_rows, depth = np.array(unfinished, int), min(4 * depth, DEEPEST)
    return distances, ids

  def close(self) -> None:
    """Lets go of the connection, and of a local file."""
    with connection.calling(self._uri):
      self._client.close()
      connection.release(self._uri)

  def _is_live(self, ids: np.ndarray) -> np.ndarray:
    return self._live.positions(ids)[1]

  def _nearest(self, codes: np.ndarray, depth: int) -> Iterator[np.ndarray]:
    """Distances and ids [n, 2] of each query."""
    for start in range(0, len(codes), _QUERIES):
      queries = [code.tobytes() for code in codes[start : start + _QUERIES]]
      with connection.calling(self._uri):
        found = self._client.search(
          self._collection,
          queries,
          limit=depth,
          search_params={
            'metric_type': 'HAMMING', 'params': {'nprobe': _PROBED}
          },
        )  # fmt: skip
      for hits in found:
        pairs = [(int(hit['distance']), int(hit['id'])) for hit in hits]
        yield np.array(pairs, np.int64).reshape(-1, 2)

  def _create(self) -> None:
    from pymilvus import DataType

    if self._store.read_only:
      raise errors.Unavailable(
        f'{self._uri}: the collection {self._collection} is missing; open the '
        'index for writing once, which makes it again.'
      )
    schema = self._client.create_schema(auto_id=False)
    schema.add_field('id', DataType.INT64, is_primary=True)
    schema.add_field(
      'code', DataType.BINARY_VECTOR, dim=self._store.settings.num_bits
    )
    indexes = self._client.prepare_index_params()
    kind = INDEX_TYPES[self._store.settings.engine]
    params = {} if kind == 'BIN_FLAT' else {'nlist': _LISTS}
    indexes.add_index(
      'code', index_type=kind, metric_type='HAMMING', params=params
    )
    # Before the collection: one that nobody knows of would stay for ever.
    connection.remember(self._store, self._collection, records.State())
    self._client.create_collection(
      self._collection,
      schema=schema,
      index_params=indexes,
      consistency_level='Strong',
    )
