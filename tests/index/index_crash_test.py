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

from nph_jax.retrieval.video_index import VideoIndex

FOLDER = pathlib.Path(__file__).parent
ROOT = FOLDER.parents[1]
TOTAL = index_worker.BATCH * index_worker.BATCHES


def start(directory, moment, count=0):
  return subprocess.Popen(
    [sys.executable, FOLDER / 'index_worker.py', directory, moment, str(count)],
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
