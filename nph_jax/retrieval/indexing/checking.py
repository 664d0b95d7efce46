"""What is in an index, and whether all of it is as it was written."""

from __future__ import annotations

from typing import Any

import numpy as np

from nph_jax import errors
from nph_jax.retrieval.indexing import database, records, row_file
from nph_jax.retrieval.indexing import store as store_lib


def about(store: store_lib.Store, num_videos: int) -> dict[str, Any]:
  """What there is to say of an index, for people and programs."""
  settings, jobs = store.settings, store.jobs()
  return {
    'format': database.FORMAT,
    'videos': num_videos,
    'num_bits': settings.num_bits,
    'engine': settings.engine,
    'uri': settings.uri,
    'bundle': settings.bundle_digest,
    'keeps_relaxed': bool(settings.keep_relaxed),
    'metadata': sorted(store.names()),
    'removed_not_compacted': store.state().rows - num_videos,
    'bytes': sum(
      path.stat().st_size
      for path in store.directory.iterdir()
      if path.is_file()
    ),
    'interrupted': {
      name: f'{done} of {total} videos' for name, (done, total) in jobs.items()
    },
  }


def verify(store: store_lib.Store) -> None:
  """Reads everything.

  Raises:
    UserError: a file is not as it was written.
  """
  problem = store.query('PRAGMA integrity_check')[0][0]
  if problem != 'ok':
    raise errors.UserError(
      f'{store.path}: is damaged ({problem}); copy the folder again from a '
      'backup, or build the index anew.'
    )
  state, batches = store.state(), store.batches()
  for kind in store.kinds:
    rows = store.rows(kind, state)
    for start, count, *digests in batches:
      expected = digests[records.KINDS.index(kind)]
      values = np.ascontiguousarray(rows[start : start + count])
      if row_file.digest(values) != expected:
        raise row_file.damaged(store.file(kind, state.generation).path)
