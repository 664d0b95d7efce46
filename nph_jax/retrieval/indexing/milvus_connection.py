"""Talking to Milvus, and remembering which collection is ours."""

from __future__ import annotations

import contextlib
import dataclasses
import json
import logging
import os
import pathlib
import secrets
import warnings
from collections.abc import Iterator
from typing import Any

from nph_jax import atomic, errors
from nph_jax.retrieval.indexing import records

_TIMEOUT = 10  # seconds to connect


@contextlib.contextmanager
def calling(uri: str) -> Iterator[None]:
  """Turns what Milvus says into a UserError, and keeps its log silent."""
  try:
    from pymilvus.exceptions import MilvusException
  except ImportError as error:
    raise errors.UserError(
      "engine milvus: pymilvus is not installed; pip install 'nph-jax[milvus]'."
    ) from error
  logger = logging.getLogger('pymilvus.decorators')
  was_disabled = logger.disabled
  try:
    logger.disabled = True
    yield
  except MilvusException as error:
    said = ' '.join(str(error.message).split())[:200]
    raise errors.UserError(
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


def read(path: pathlib.Path) -> tuple[str, records.State]:
  """The collection's name and what it holds; a new name if there is none.

  Raises:
    UserError: the file is damaged.
  """
  if not path.is_file():
    return f'nph_{secrets.token_hex(8)}', records.State()
  try:
    about = json.loads(path.read_text())
    return str(about['collection']), records.State(**about['state'])
  except (ValueError, TypeError, KeyError) as error:
    raise errors.UserError(
      f'{path}: is damaged; remove it, and the collection is made again from '
      'the codes beside it.'
    ) from error


def write(path: pathlib.Path, collection: str, state: records.State) -> None:
  """Writes what `read` reads."""
  about = {'collection': collection, 'state': dataclasses.asdict(state)}
  atomic.write_json(path, about)
