"""Changes an index until it is killed, by itself or from outside.

python index_worker.py DIRECTORY MOMENT COUNT WHAT [STEP]

MOMENT is the name of one of MOMENTS or 'outside'; the process kills itself when
that comes for the COUNT-th time. WHAT it does is one of DOING: each finished
step is said on stdout.
"""

import os
import signal
import sys

import index_cases
import numpy as np

from nph_jax.index import VideoIndex, catalogue, database, engines, store

BITS, BATCH, BATCHES = 32, 40, 10_000
MOMENTS = {
  'codes about to be written': (store, '_append'),
  'metadata about to be written': (catalogue, 'insert'),
  'metadata written': (database, 'set_job'),
  'committed': (store.Store, 'changes'),
  'metadata about to be removed': (catalogue, 'delete'),
  'written anew, not committed': (database, 'set_values'),
}


def batch(number):
  """Codes, metadata and t of batch `number`."""
  codes = index_cases.clustered(BATCH, BITS // 8, seed=number)
  metadata = index_cases.metadata(BATCH, number * BATCH)
  return codes, metadata, index_cases.relaxed(codes, seed=number)


def ids_of(number):
  return np.arange(BATCH) + number * BATCH


def alive(steps):
  """The batches that are there after so many steps of `churn`."""
  added = [number for number in range(steps) if number % 3 < 2]
  return [n - n // 3 for n in added][steps // 3 :]


def die_at(moment, count):
  place, name = MOMENTS[moment]
  original, calls = getattr(place, name), []

  def deadly(*args, **kwargs):
    calls.append(1)
    if len(calls) == count:
      os.kill(os.getpid(), signal.SIGKILL)
    return original(*args, **kwargs)

  setattr(place, name, deadly)


def add(index):
  for number in range(len(index) // BATCH, BATCHES):
    job = ('all', (number + 1) * BATCH, BATCHES * BATCH)
    ids = index.add(*batch(number), job=job)
    assert (ids == ids_of(number)).all()
    yield number


def remove(index):
  while first := index.items(limit=1):
    number = first[0][0] // BATCH
    assert index.remove(ids_of(number)) == BATCH
    yield number


def churn(index, first):
  """Adds two batches, removes the first one, and so on."""
  for step in range(first, BATCHES):
    number = step - step // 3
    if step % 3 < 2:
      index.add(*batch(number), ids=ids_of(number))
    else:
      assert index.remove(ids_of(alive(step)[0])) == BATCH
    yield step


def compact(index):
  for number in range(BATCHES):
    index.compact()
    yield number


def rehash(index):
  """Turns every bit around, again and again."""
  for number in range(BATCHES):
    ids = index.ids()
    codes = np.array([index.get(video)[0] for video in ids.tolist()])
    t = np.array([index.get(video)[1] for video in ids.tolist()])
    index.rehash([(ids, ~codes, -t, None)], BITS, f'bundle {number}')
    yield number


def main(directory, moment, count, what, *step):
  engines._FEW = 100  # so that few videos have lists
  index = VideoIndex.open(directory)
  print('open', flush=True)
  if moment != 'outside':
    die_at(moment, int(count))
  doing = {f.__name__: f for f in (add, remove, churn, compact, rehash)}
  for number in doing[what](index, *map(int, step)):
    print(number, flush=True)


if __name__ == '__main__':
  main(*sys.argv[1:])
