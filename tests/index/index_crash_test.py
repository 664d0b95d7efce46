"""kill -9 at chosen and at any moments: each batch is wholly there or not."""

import os
import pathlib
import signal
import subprocess
import sys
import time

import index_worker
import numpy as np
import pytest
from index_cases import assert_nearest

from nph_jax.retrieval.video_index import VideoIndex

FOLDER = pathlib.Path(__file__).parent
ROOT = FOLDER.parents[1]
TOTAL = index_worker.BATCH * index_worker.BATCHES


def start(directory, moment, count=0, what='add'):
  worker = FOLDER / 'index_worker.py'
  return subprocess.Popen(
    [sys.executable, worker, directory, moment, str(count), what],
    env={**os.environ, 'PYTHONPATH': str(ROOT)},
    stdout=subprocess.PIPE,
    text=True,
  )


def finished(process, least):
  """Batches that it said were added; it has to be dead by a kill."""
  lines = process.communicate()[0].split()
  assert process.returncode == -signal.SIGKILL
  assert lines[0] == 'open' and len(lines) - 1 >= least
  return len(lines) - 1


def assert_whole(index, batches):
  """The index holds the first `batches` batches and nothing else."""
  number = len(index) // index_worker.BATCH
  assert number in batches and len(index) == number * index_worker.BATCH
  index.verify()
  items = index.items(limit=len(index) + 1)
  for part in range(number):
    codes, metadata, relaxed = index_worker.batch(part)
    first = part * index_worker.BATCH
    assert items[first : first + len(codes)] == list(
      zip(range(first, first + len(codes)), metadata)
    )
    code, t, _ = index.get(first + 5)
    np.testing.assert_array_equal(code, codes[5])
    np.testing.assert_array_equal(t, relaxed[5])
    where = {'path': metadata[5]['path']}
    (hits,) = index.search(codes[5:6], 3, where=where)
    assert [(hit.id, hit.distance) for hit in hits] == [(first + 5, 0)]
  if number:
    assert index.jobs() == {'all': (len(index), TOTAL)}


@pytest.fixture
def directory(tmp_path):
  VideoIndex.create(tmp_path / 'ix', index_worker.BITS).close()
  return tmp_path / 'ix'


@pytest.mark.parametrize(
  ('moment', 'count', 'there'),
  [
    ('rows written, not synced', 1, 0),
    ('rows written, not synced', 11, 2),
    ('rows synced', 9, 2),
    ('metadata about to be written', 2, 1),
    ('metadata written', 2, 1),
    ('committed', 2, 2),
  ],
)
def test_killed_at(directory, moment, count, there):
  process = start(directory, moment, count)
  said = finished(process, 0)
  with VideoIndex.open(directory, read_only=True) as reader:
    assert_whole(reader, {there})
  assert said <= there
  with VideoIndex.open(directory) as index:
    assert_whole(index, {there})
    index.add(*index_worker.batch(there), job=('all', (there + 1) * 40, TOTAL))
    assert_whole(index, {there + 1})


def test_killed_at_any_moment(directory):
  rng, said = np.random.default_rng(), 0
  for _ in range(4):
    process = start(directory, 'outside')
    assert process.stdout.readline() == 'open\n'
    time.sleep(rng.uniform(0, 0.15))
    process.kill()
    said += len(process.communicate()[0].split())
    with VideoIndex.open(directory) as index:
      number = len(index) // index_worker.BATCH
      # One may have been added and not be said any more.
      assert_whole(index, {said, said + 1})
      said = number


def fill(directory, batches):
  with VideoIndex.open(directory) as index:
    for number in range(batches):
      index.add(*index_worker.batch(number))


def assert_rest(index, batches, removed):
  """The index holds all but the first `removed` of so many batches."""
  index.verify()
  parts = [index_worker.batch(number) for number in range(batches)]
  first = removed * index_worker.BATCH
  codes = np.concatenate([codes for codes, _, _ in parts])[first:]
  metadata = [row for _, rows, _ in parts for row in rows][first:]
  ids = np.arange(first, batches * index_worker.BATCH)
  assert index.items(limit=len(index) + 1) == list(zip(ids.tolist(), metadata))
  # Few videos: every engine finds them all.
  assert_nearest(index, codes[:4], codes, ids, len(ids))
  where = {'path': f'videos/{first - 1}.mp4'}
  assert index.search(codes[:1], 3, where=where) == [[]]


@pytest.mark.parametrize(
  ('moment', 'count', 'removed'),
  [
    ('metadata about to be removed', 2, 1),
    ('removal committed', 3, 2),
  ],
)
@pytest.mark.parametrize('engine', ['flat', 'ivf'])
def test_killed_while_it_removes(tmp_path, engine, moment, count, removed):
  directory = tmp_path / 'ix'
  VideoIndex.create(directory, index_worker.BITS, engine=engine).close()
  fill(directory, 4)
  said = finished(start(directory, moment, count, 'remove'), 1)
  assert said <= removed
  with VideoIndex.open(directory, read_only=True) as reader:
    assert_rest(reader, 4, removed)
  with VideoIndex.open(directory) as index:
    assert_rest(index, 4, removed)
    index.remove(np.arange(index_worker.BATCH) + removed * index_worker.BATCH)
    assert_rest(index, 4, removed + 1)


@pytest.mark.parametrize('engine', ['ivf', 'multihash'])
def test_killed_beside_an_old_snapshot(tmp_path, engine):
  """Only a close writes the engine's own file: it is of before the kill."""
  directory = tmp_path / 'ix'
  VideoIndex.create(directory, index_worker.BITS, engine=engine).close()
  fill(directory, 2)
  snapshot = (directory / 'engine.faiss').read_bytes()
  assert finished(start(directory, 'committed', 2), 1) == 1
  assert (directory / 'engine.faiss').read_bytes() == snapshot
  for read_only in (True, False):
    with VideoIndex.open(directory, read_only=read_only) as index:
      assert_whole(index, {4})
      codes = np.concatenate([index_worker.batch(n)[0] for n in range(4)])
      distances, ids = index.search_arrays(codes[:4], 5)
      assert (ids[:, 0] >= 0).all() and (distances[:, 0] == 0).all()


def test_killed_while_it_compacts(directory, monkeypatch):
  with VideoIndex.open(directory) as index:
    for number in range(3):
      index.add(*index_worker.batch(number))
    index.remove(np.arange(0, 120, 2))
    # What a compaction leaves that was cut before its commit.
    for kind in ('codes', 'ids', 'relaxed'):
      (directory / f'{kind}-1.bin').write_bytes(b'half')
  with VideoIndex.open(directory) as index:
    assert not list(directory.glob('*-1.bin'))
    index.compact()
    index.verify()
    codes = index_worker.batch(1)[0]
    np.testing.assert_array_equal(index.get(41)[0], codes[1])
    assert len(index) == 60 and index.items(limit=1)[0][0] == 1
