"""Talking to Milvus, and remembering which collection is ours."""

from __future__ import annotations

import contextlib
import dataclasses
import json
import logging
import os
import secrets
import warnings
from collections.abc import Iterator
from typing import Any

from nph_jax.index import errors, records
from nph_jax.index import store as store_lib

_TIMEOUT = 10  # seconds to connect


@contextlib.contextmanager
def calling(uri: str) -> Iterator[None]:
  """Turns what Milvus says into an Unavailable, and keeps its log silent."""
  try:
    from pymilvus.exceptions import MilvusException
  except ImportError as error:
    raise errors.Unavailable(
      "engine milvus: pymilvus is not installed; pip install 'nph-jax[milvus]'."
    ) from error
  logger = logging.getLogger('pymilvus.decorators')
  was_disabled = logger.disabled
  try:
    logger.disabled = True
    yield
  except MilvusException as error:
    said = ' '.join(str(error.message).split())[:200]
    raise errors.Unavailable(
      f'{uri}: Milvus says: {said}; see that it runs, that no other program '
      'has its file open, and that MILVUS_TOKEN is right where it wants one.'
    ) from error
  finally:
    logger.disabled = was_disabled


def open_client(uri: str) -> Any:
  """A MilvusClient of a local file (a path) or a server (an address)."""
  with warnings.catch_warnings():
    warnings.simplefilter('ignore')  # milvus_lite imports what is deprecated
    from pymilvus import MilvusClient

    token = os.environ.get('MILVUS_TOKEN', '')
    return MilvusClient(uri, token=token, timeout=_TIMEOUT)


def release(uri: str) -> None:
  """Ends the server of a local file, so that another program can open it."""
  if '://' not in uri:
    from milvus_lite import server_manager

    server_manager.server_manager_instance.release_server(uri)


def recall(store: store_lib.Store) -> tuple[str, records.State]:
  """The collection's name and what it holds; a new name if there is none."""
  kept = store.noted('milvus')
  if kept is None:
    return f'nph_{secrets.token_hex(8)}', records.State()
  about = json.loads(kept)
  return about['collection'], records.State(**about['state'])


def remember(
  store: store_lib.Store, collection: str, state: records.State
) -> None:
  """Keeps what `recall` returns."""
  about = {'collection': collection, 'state': dataclasses.asdict(state)}
  store.note('milvus', json.dumps(about))
