"""Readers, backups and rehashing beside a program that writes."""

import concurrent.futures
import sqlite3
import subprocess
import sys
import threading

import index_cases
import index_crash_test as crash
import index_worker
import numpy as np
import pytest
from index_cases import BITS, assert_nearest, codes, metadata, relaxed

from nph_jax.index import VideoIndex, errors

READER = """
import sys, numpy as np
from nph_jax.index import VideoIndex
for _ in range(int(sys.argv[2])):
  with VideoIndex.open(sys.argv[1], read_only=True) as index:
    index.verify()
    code, t, about = index.get(int(index.ids()[-1]))
    assert index.search(code[None], 1)[0][0].distance == 0
"""


@pytest.fixture
def written(tmp_path):
  """The folder of an index that another program changes all the time."""
  directory = tmp_path / 'ix'
  VideoIndex.create(directory, index_worker.BITS).close()
  crash.fill(directory, 1)
  writer = crash.start(directory, 'outside', 0, 'churn', ['1'])
  assert writer.stdout.readline() == 'open\n'
  reading = threading.Thread(target=writer.stdout.read)
  reading.start()  # else it would wait for that
  yield directory
  assert writer.poll() is None, 'the writer is not there any more'
  writer.kill()
  reading.join()
  writer.communicate()


def test_no_false_alarm_beside_a_writer(written):
  """The old index was called damaged by 1 in 20 of such openings."""
  readers = [
    subprocess.Popen(
      [sys.executable, '-c', READER, written, '60'],
      stderr=subprocess.PIPE,
      text=True,
      env={**crash.os.environ, 'PYTHONPATH': str(crash.ROOT)},
    )
    for _ in range(2)
  ]
  said = [reader.communicate()[1] for reader in readers]
  assert said == ['', '']
  with VideoIndex.open(written, read_only=True) as index:
    assert len(index) > index_worker.BATCH


def test_a_state_and_its_batches_are_of_one_moment(index, tmp_path):
  """A batch that comes between the two is not looked at yet."""
  with VideoIndex.open(tmp_path / 'ix', read_only=True) as reader:
    state = reader._store.state

    def late():
      found = state()
      if not late.done:
        late.done = True
        more = codes(5, seed=7)
        index.add(more, metadata(5, 90), relaxed(more))
      return found

    late.done = False
    reader._store.state = late
    assert len(reader) == 90 and late.done
    assert len(reader) == 95


def test_a_live_index_can_be_copied(written, tmp_path):
  sizes = []
  for number in range(4):
    with VideoIndex.open(written, read_only=True) as reader:
      reader.backup(tmp_path / f'{number}.backup')
    VideoIndex.restore(tmp_path / f'{number}.backup', tmp_path / str(number))
    with VideoIndex.open(tmp_path / str(number)) as copy:
      steps = next(
        s for s in range(9999) if crash.ids_after(s) == [*copy.ids()]
      )
      crash.check_some(copy, index_worker.alive(steps))
      sizes.append(steps)
  assert sizes == sorted(sizes)


def other(number, seed=5):
  """Codes and t of 32 bits, of another bundle."""
  values = index_cases.clustered(number, 4, seed)
  return values, relaxed(values)


def test_a_rehash_keeps_ids_and_metadata(index, tmp_path):
  index.remove([3, 50])
  ids = np.setdiff1d(np.arange(90), [3, 50])
  values, t = other(88)
  with VideoIndex.open(tmp_path / 'ix', read_only=True) as reader:
    reader.check_bundle('ab', BITS)
    order = np.random.default_rng(0).permutation(88)
    parts = [
      (ids[part], values[part], t[part], None)
      for part in np.array_split(order, 3)
    ]
    index.rehash(parts, 32, 'cd')
    for each in (index, reader):
      assert each.items(limit=99)[3] == (4, metadata(1, 4)[0])
      assert (each.num_bits, each.bundle_digest) == (32, 'cd')
      each.verify()
    assert_nearest(index, values[:9], values, ids, 88)
    np.testing.assert_array_equal(index.get(4)[1], t[3])
    # Whoever hashes with the old bundle would compare nothing with nothing.
    with pytest.raises(
      errors.Unavailable, match='was rehashed with the bundle'
    ):
      reader.search(values[:1], 3)
  with VideoIndex.open(tmp_path / 'ix', read_only=True) as reader:
    assert_nearest(reader, values[:9], values, ids, 88)
    found = reader.search(values[:1], 5, rerank=9, relaxed=t[:1])[0]
    assert found[0].id == 0 and found[0].score > 0.999


@pytest.mark.parametrize(
  ('change', 'words'),
  [
    (lambda i, c, t: (i[1:], c[1:], t[1:], None), 'new codes came of 89 of'),
    (lambda i, c, t: (i, c[:, 1:], t, None), 'have 24 bits'),
    (lambda i, c, t: (i, c, None, None), 'keeps the real-valued t'),
    (lambda i, c, t: (i[[0, *range(89)]], c, t, None), 'stands there twice'),
    (lambda i, c, t: (i + 1, c, t, None), 'new codes came of 89 of'),
  ],
)
def test_half_a_rehash_changes_nothing(index, change, words):
  values, t = other(90)
  with pytest.raises(errors.InvalidRequest, match=words):
    index.rehash([change(np.arange(90), values, t)], 32, 'cd')
  assert_nearest(index, codes()[:5], codes(), np.arange(90), 90)
  np.testing.assert_array_equal(index.get(7)[1], relaxed(codes())[7])
  index.verify()


def test_searches_see_the_old_codes_or_the_new(index, tmp_path):
  """Another process's or this one's, never some of each."""
  old, new = codes(), ~codes()
  places = {
    bundle: index_cases.nearest(old[:3], values, np.arange(90), 9)[1].tolist()
    for bundle, values in ((0, old), (1, new))
  }
  done, failures = threading.Event(), []

  def search(reader):
    while not done.is_set():
      found = reader.search_arrays(old[:3], 9)[1].tolist()
      if found not in places.values():
        failures.append(found)

  with VideoIndex.open(tmp_path / 'ix', read_only=True) as reader:
    with concurrent.futures.ThreadPoolExecutor(2) as pool:
      futures = [pool.submit(search, each) for each in (index, reader)]
      for number in range(10):
        values = old if number % 2 else new
        part = (np.arange(90), values, relaxed(values), None)
        index.rehash([part], BITS, f'{number}')
      done.set()
      for future in futures:
        future.result()
  assert not failures


def test_who_reads_beside_a_locked_store_waits_for_nothing(index, tmp_path):
  """A transaction that is not done yet, as a rehash of many videos."""
  connection = sqlite3.connect(tmp_path / 'ix' / 'index.sqlite')
  connection.execute('BEGIN IMMEDIATE')
  connection.execute('DELETE FROM log')
  with VideoIndex.open(tmp_path / 'ix', read_only=True) as reader:
    assert_nearest(reader, codes()[:5], codes(), np.arange(90), 20)
  connection.rollback()
  connection.close()
