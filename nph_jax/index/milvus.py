"""Milvus: a local file (Milvus Lite) or a cluster, by the same calls."""

from __future__ import annotations

import contextlib
import json
import logging
import os
import secrets
import warnings
from collections.abc import Iterator

import numpy as np

from nph_jax.index import engines, errors
from nph_jax.index import live as live_lib
from nph_jax.index import store as store_lib
from nph_jax.index.records import Changes, State

INDEX_TYPES = {'milvus': 'BIN_FLAT', 'milvus_ivf': 'BIN_IVF_FLAT'}
DEEPEST = 16_384  # results that Milvus returns at most
_SPARE = 100  # results beyond k, to see the end of the last distance
_BLOCK = 10_000  # videos to one call
_QUERIES = 100  # to one call
_LISTS, _PROBED = 1024, 128
_TIMEOUT = 10  # seconds to connect


class MilvusEngine(engines.Flat):
  """A collection that the writer keeps up with the store.

  'milvus' is exact. Ties are broken by id as long as not more than `DEEPEST`
  videos are as near as the last result; beyond that Milvus chooses among them.
  """

  def __init__(self, store: store_lib.Store, live: live_lib.Live):
    """Connects, and makes the collection if need be.

    Raises:
      Unavailable: pymilvus is not installed, or Milvus does not do as asked.
    """
    super().__init__(store, live)
    self._uri = store.settings.uri or os.fspath(store.directory / 'milvus.db')
    kept = json.loads(store.noted('milvus') or '[null, []]')
    self._collection = kept[0] or f'nph_{secrets.token_hex(8)}'
    self.applied = State(*kept[1])
    with _calling(self._uri):
      self._client = _client(self._uri)
      if not self._client.has_collection(self._collection):
        self._create()

  def follow(self, changes: Changes) -> None:
    """Tells the collection, or nothing where a writer elsewhere does it."""
    if self._store.read_only:
      self.applied = changes.state
      return
    with _calling(self._uri):
      if changes.since != self.applied:
        self._client.drop_collection(self._collection)
        self._create()
      self._remove(changes.removed)
      self._add(changes.ids, changes.codes)
    self.compacted(changes.state)

  def compacted(self, state: State) -> None:
    """Notes that the collection holds all of `state`."""
    self._store.note('milvus', json.dumps([self._collection, state]))
    self.applied = state

  def _add(self, ids: np.ndarray, codes: np.ndarray) -> None:
    for start in range(0, len(ids), _BLOCK):
      part = slice(start, start + _BLOCK)
      pairs = zip(ids[part].tolist(), codes[part])
      # Not insert: after a crash the same are added once more.
      self._client.upsert(
        self._collection, [{'id': i, 'code': c.tobytes()} for i, c in pairs]
      )

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
        found = found[self._live.positions(found[:, 1])[1]]
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
    with _calling(self._uri):
      self._client.close()
      if '://' not in self._uri:
        from milvus_lite.server_manager import server_manager_instance

        # So that another program can open the file.
        server_manager_instance.release_server(self._uri)

  def _nearest(self, codes: np.ndarray, depth: int) -> Iterator[np.ndarray]:
    """Distances and ids [n, 2] of each query."""
    for start in range(0, len(codes), _QUERIES):
      queries = [code.tobytes() for code in codes[start : start + _QUERIES]]
      with _calling(self._uri):
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
    self.compacted(State())
    self._client.create_collection(
      self._collection,
      schema=schema,
      index_params=indexes,
      consistency_level='Strong',
    )


@contextlib.contextmanager
def _calling(uri: str) -> Iterator[None]:
  """Turns what Milvus says into an Unavailable, and keeps its log silent."""
  try:
    from pymilvus.exceptions import MilvusException
  except ImportError as error:
    raise errors.Unavailable(
      "engine milvus: pymilvus is not installed; pip install 'nph-jax[milvus]'."
    ) from error
  logger = logging.getLogger('pymilvus.decorators')
  was_disabled, logger.disabled = logger.disabled, True
  try:
    yield
  except MilvusException as error:
    said = ' '.join(str(error.message).split())[:200]
    raise errors.Unavailable(
      f'{uri}: Milvus says: {said}; see that it runs, that no other program '
      'has its file open, and that MILVUS_TOKEN is right where it wants one.'
    ) from error
  finally:
    logger.disabled = was_disabled


def _client(uri: str) -> object:
  """A MilvusClient of a local file (a path) or a server (an address)."""
  with warnings.catch_warnings():
    warnings.simplefilter('ignore')  # milvus_lite imports what is deprecated
    from pymilvus import MilvusClient

    token = os.environ.get('MILVUS_TOKEN', '')
    return MilvusClient(uri, token=token, timeout=_TIMEOUT)
