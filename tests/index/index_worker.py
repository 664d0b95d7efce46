"""Changes an index until it is killed, by itself or from outside.

python index_worker.py DIRECTORY MOMENT COUNT [remove]

MOMENT is the name of one of MOMENTS or 'outside'; the process kills itself when
that comes for the COUNT-th time. It adds batches, or removes the first ones of
what is there. Each finished batch is said on stdout.
"""

import os
import signal
import sys

import index_cases
import numpy as np

from nph_jax.retrieval.indexing import catalogue, database, live_index, row_file
from nph_jax.retrieval.video_index import VideoIndex

BITS, BATCH, BATCHES = 32, 40, 10_000
MOMENTS = {
  'rows written, not synced': (row_file.os, 'fsync'),
  'rows synced': (row_file, 'digest'),
  'metadata written': (database, 'set_job'),
  'metadata about to be written': (catalogue, 'insert'),
  'committed': (live_index.LiveIndex, '_check_digests'),
  'metadata about to be removed': (catalogue, 'delete'),
  'removal committed': (live_index.LiveIndex, '_changes'),
}


def batch(number):
  """Codes, metadata and t of batch `number`."""
  codes = index_cases.clustered(BATCH, BITS // 8, seed=number)
  metadata = index_cases.metadata(BATCH, number * BATCH)
  return codes, metadata, index_cases.relaxed(codes, seed=number)


def die_at(moment, count):
  place, name = MOMENTS[moment]
  original, calls = getattr(place, name), []

  def deadly(*args):
    calls.append(1)
    if len(calls) == count:
      os.kill(os.getpid(), signal.SIGKILL)
    return original(*args)

  setattr(place, name, deadly)


def main(directory, moment, count, what='add'):
  index = VideoIndex.open(directory)
  print('open', flush=True)
  if moment != 'outside':
    die_at(moment, int(count))
  {'add': add, 'remove': remove}[what](index)


def remove(index):
  while first := index.items(limit=1):
    number = first[0][0] // BATCH
    assert index.remove(np.arange(BATCH) + number * BATCH) == BATCH
    print(number, flush=True)


def add(index):
  for number in range(len(index) // BATCH, BATCHES):
    job = ('all', (number + 1) * BATCH, BATCHES * BATCH)
    ids = index.add(*batch(number), job=job)
    assert (ids == np.arange(BATCH) + number * BATCH).all()
    print(number, flush=True)


if __name__ == '__main__':
  main(*sys.argv[1:])
