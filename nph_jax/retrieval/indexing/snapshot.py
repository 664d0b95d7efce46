"""An engine's own file, so that it need not be made anew at each opening."""

from __future__ import annotations

import dataclasses
import json
import os
import pathlib

import faiss

from nph_jax import atomic
from nph_jax.retrieval.indexing import records, row_file


def write(
  path: pathlib.Path, index: faiss.IndexBinary, state: records.State
) -> None:
  """Writes what holds all of `state` to `path`, and what it is beside it."""
  with atomic.replacing(path) as temporary:
    faiss.write_index_binary(index, os.fspath(temporary))
  about = {
    'state': dataclasses.asdict(state),
    'digest': row_file.digest(path.read_bytes()),
  }
  atomic.write_json(_about(path), about)


def read(
  path: pathlib.Path, num_bits: int
) -> tuple[faiss.IndexBinary | None, records.State]:
  """What `write` wrote, None if nothing or if it is damaged.

  The codes are in the store as well: a damaged snapshot costs time only.
  """
  try:
    about = json.loads(_about(path).read_text())
    state = records.State(**about['state'])
    # Before faiss reads it: faiss does not survive every damaged file.
    if row_file.digest(path.read_bytes()) != about['digest']:
      return None, records.State()
    index = faiss.read_index_binary(os.fspath(path))
  except (OSError, ValueError, TypeError, KeyError):
    return None, records.State()
  return (index, state) if index.d == num_bits else (None, records.State())


def _about(path: pathlib.Path) -> pathlib.Path:
  return path.with_suffix('.json')
