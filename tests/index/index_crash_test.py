"""kill -9 at chosen and at any moments: each step is wholly done or not."""

import os
import pathlib
import signal
import subprocess
import sys
import time

import index_worker
import numpy as np
import pytest

from nph_jax.index import VideoIndex, engines

FOLDER = pathlib.Path(__file__).parent
ROOT = FOLDER.parents[1]
TOTAL = index_worker.BATCH * index_worker.BATCHES


@pytest.fixture(autouse=True)
def lists_for_few_videos(monkeypatch):
  monkeypatch.setattr(engines, '_FEW', 100)


def start(directory, moment, count=0, what='add', step=()):
  worker = FOLDER / 'index_worker.py'
  return subprocess.Popen(
    [sys.executable, worker, directory, moment, str(count), what, *step],
    env={**os.environ, 'PYTHONPATH': str(ROOT)},
    stdout=subprocess.PIPE,
    text=True,
  )


def finished(process, least):
  """Steps that it said were done; it has to be dead by a kill."""
  lines = process.communicate()[0].split()
  assert process.returncode == -signal.SIGKILL
  assert lines[0] == 'open' and len(lines) - 1 >= least
  return len(lines) - 1


def assert_holds(index, batches, turned=False):
  """The index holds these batches and nothing else."""
  index.verify()
  parts = [index_worker.batch(number) for number in batches]
  ids = [i for n in batches for i in index_worker.ids_of(n).tolist()]
  metadata = [row for _, rows, _ in parts for row in rows]
  assert index.items(limit=len(index) + 1) == list(zip(ids, metadata))
  for number, (codes, rows, relaxed) in zip(batches, parts):
    video = int(index_worker.ids_of(number)[5])
    code, t, _ = index.get(video)
    np.testing.assert_array_equal(code, ~codes[5] if turned else codes[5])
    np.testing.assert_array_equal(t, -relaxed[5] if turned else relaxed[5])
    (hits,) = index.search(code[None], 3, where={'path': rows[5]['path']})
    assert [(hit.id, hit.distance) for hit in hits] == [(video, 0)]
    # Nothing is lost from the engine's lists either.
    distances, _ = index.search_arrays(code[None], 1)
    assert distances.tolist() == [[0]]


@pytest.fixture
def directory(tmp_path):
  VideoIndex.create(tmp_path / 'ix', index_worker.BITS).close()
  return tmp_path / 'ix'


def fill(directory, batches):
  with VideoIndex.open(directory) as index:
    for number in range(batches):
      index.add(*index_worker.batch(number))


@pytest.mark.parametrize(
  ('moment', 'count', 'there'),
  [
    ('codes about to be written', 1, 0),
    ('metadata about to be written', 2, 1),
    ('metadata written', 2, 1),
    ('committed', 2, 2),
  ],
)
def test_killed_at(directory, moment, count, there):
  said = finished(start(directory, moment, count), 0)
  for read_only in (True, False):
    with VideoIndex.open(directory, read_only=read_only) as index:
      assert_holds(index, range(there))
      job = {'all': (len(index), TOTAL)} if there else {}
      assert index.jobs() == job
  assert said <= there
  fill(directory, 1)  # ids go on where they were
  with VideoIndex.open(directory, read_only=True) as index:
    assert index.ids().tolist() == list(range(40 * (there + 1)))


@pytest.mark.parametrize(
  ('moment', 'count', 'removed'),
  [('metadata about to be removed', 2, 1), ('committed', 3, 3)],
)
@pytest.mark.parametrize('engine', ['flat', 'ivf'])
def test_killed_while_it_removes(tmp_path, engine, moment, count, removed):
  directory = tmp_path / 'ix'
  VideoIndex.create(directory, index_worker.BITS, engine=engine).close()
  fill(directory, 4)
  assert finished(start(directory, moment, count, 'remove'), 1) <= removed
  for read_only in (True, False):
    with VideoIndex.open(directory, read_only=read_only) as index:
      assert_holds(index, range(removed, 4))
  with VideoIndex.open(directory) as index:
    index.remove(index_worker.ids_of(removed))
    assert_holds(index, range(removed + 1, 4))


@pytest.mark.parametrize('engine', ['flat', 'ivf'])
@pytest.mark.parametrize('what', ['compact', 'rehash'])
def test_killed_while_it_writes_all_anew(tmp_path, engine, what):
  directory = tmp_path / 'ix'
  VideoIndex.create(directory, index_worker.BITS, engine=engine).close()
  fill(directory, 4)
  with VideoIndex.open(directory) as index:
    index.remove(index_worker.ids_of(1))
  # The second 'written anew' of a compaction is the next one's.
  process = start(directory, 'written anew, not committed', 2, what)
  assert finished(process, 0) < 2
  with VideoIndex.open(directory, read_only=True) as index:
    assert_holds(index, [0, 2, 3])
  process = start(directory, 'outside', 0, what)
  for _ in range(2):
    process.stdout.readline()
  process.kill()
  process.communicate()
  with VideoIndex.open(directory, read_only=True) as index:
    turned = index.bundle_digest in ('bundle 0', 'bundle 2', 'bundle 4')
    assert_holds(index, [0, 2, 3], turned)


def kill_at_any_moment(directory, rounds, seconds):
  """Adds and removes, killed again and again."""
  rng, steps = np.random.default_rng(), 0
  for _ in range(rounds):
    process = start(directory, 'outside', 0, 'churn', [str(steps)])
    assert process.stdout.readline() == 'open\n'
    time.sleep(rng.uniform(0, seconds))
    process.kill()
    steps += len(process.communicate()[0].split())
    with VideoIndex.open(directory, read_only=True) as index:
      # One may have been done and not be said any more.
      if index.ids().tolist() != ids_after(steps):
        steps += 1
      assert index.ids().tolist() == ids_after(steps)
      check_some(index, index_worker.alive(steps))


def ids_after(steps):
  batches = index_worker.alive(steps)
  return [i for n in batches for i in index_worker.ids_of(n).tolist()]


def check_some(index, batches):
  index.verify()
  for number in batches[-5:]:
    codes, metadata, relaxed = index_worker.batch(number)
    for row in (0, 39):
      code, t, about = index.get(int(index_worker.ids_of(number)[row]))
      np.testing.assert_array_equal(code, codes[row])
      np.testing.assert_array_equal(t, relaxed[row])
      assert about == metadata[row]
      assert index.search_arrays(code[None], 1)[0].tolist() == [[0]]


def test_killed_at_any_moment(directory):
  kill_at_any_moment(directory, rounds=4, seconds=0.15)


@pytest.mark.slow
@pytest.mark.parametrize(('engine', 'rounds'), [('flat', 30), ('ivf', 12)])
def test_killed_at_any_moment_again_and_again(tmp_path, engine, rounds):
  directory = tmp_path / 'ix'
  VideoIndex.create(directory, index_worker.BITS, engine=engine).close()
  kill_at_any_moment(directory, rounds, seconds=1.0)


def test_a_reader_after_a_kill_does_not_train(tmp_path, monkeypatch):
  """The lists are in the store as soon as they are chosen."""
  directory = tmp_path / 'ix'
  VideoIndex.create(directory, index_worker.BITS, engine='ivf').close()
  finished(start(directory, 'committed', 30), 20)

  def train(*_):
    raise AssertionError('a reader trains')

  monkeypatch.setattr(engines, '_train', train)
  with VideoIndex.open(directory, read_only=True) as index:
    assert index._live.engine._index.nlist > 5
    codes = np.concatenate([index_worker.batch(n)[0] for n in range(20)])
    found = index.search_arrays(codes[::50], 5)[0]
    assert (found[:, 0] == 0).all()
