"""The store of an unfinished run: killed, damaged, full, begun otherwise."""

import contextlib
import multiprocessing
import pathlib
import sqlite3
import subprocess
import sys
import time

import numpy as np
import pytest

from nph_jax import errors
from nph_jax.extraction import store

SHAPE = (2, 3)
STAMP = {'num_frames': 2, 'labels': 'none', 'videos': [7, 'abc']}


def open_store(folder, stamp=STAMP):
  return store.Partial(folder, stamp, SHAPE)


def group(number):
  """Two videos, of which every third group has a bad one."""
  records = [{'path': f'{number}a'}, {'path': f'{number}b'}]
  if number % 3 == 2:
    records[0][store.ERROR] = 'damaged'
  good = sum(store.ERROR not in record for record in records)
  return records, np.full((good, *SHAPE), number, np.float16)


def fill(folder, numbers):
  with open_store(folder) as partial:
    for number in numbers:
      partial.append(*group(number))


def content(folder):
  with open_store(folder) as partial:
    return list(partial.records), np.array(list(partial.rows()))


def test_continues_where_it_was(tmp_path):
  fill(tmp_path / 'whole', range(4))
  fill(tmp_path / 'parts', range(2))
  fill(tmp_path / 'parts', range(2, 4))
  whole, parts = content(tmp_path / 'whole'), content(tmp_path / 'parts')
  assert whole[0] == parts[0] and len(whole[0]) == 8
  np.testing.assert_array_equal(whole[1], parts[1])
  assert len(whole[1]) == 7


def test_a_group_that_cannot_be_added_leaves_what_was_there(tmp_path):
  fill(tmp_path / 'a', range(2))
  before = content(tmp_path / 'a')
  # The file may not grow, as where the disk is full.
  script = (
    'import resource, sys; sys.path[:0] = sys.argv[1:3]; import store_test\n'
    'resource.setrlimit(resource.RLIMIT_FSIZE, (8192, 8192))\n'
    'store_test.fill(store_test.pathlib.Path(sys.argv[3]), [2] * 40)'
  )
  here = pathlib.Path(__file__).parent
  result = subprocess.run(
    [sys.executable, '-c', script, here, here.parents[1], tmp_path / 'a'],
    capture_output=True,
    text=True,
  )
  assert 'UserError' in result.stderr
  assert 'cannot be read or written' in result.stderr
  assert 'damaged' not in result.stderr
  records, rows = content(tmp_path / 'a')
  assert records[:4] == before[0] and len(records) % 2 == 0
  assert len(rows) == sum(store.ERROR not in record for record in records)


def test_a_killed_writer_leaves_whole_groups(tmp_path):
  context = multiprocessing.get_context('spawn')
  path = tmp_path / 'a'
  for number in range(3):
    fill(path, [0])
    before = path.stat().st_mtime_ns
    process = context.Process(target=fill_for_ever, args=(path,))
    process.start()
    while path.stat().st_mtime_ns == before:
      assert process.is_alive()
      time.sleep(0.003)
    time.sleep(0.01 * number)
    process.kill()
    process.join()
    process.close()
    records, rows = content(path)
    assert len(records) % 2 == 0 and len(rows) == len(records)


def fill_for_ever(path):
  with open_store(path) as partial:
    while True:
      partial.append(*group(0))


@pytest.mark.parametrize(
  'change, message',
  [
    ({'num_frames': 3}, '--num_frames was 2 and is 3 now'),
    ({'labels': 'folders'}, '--labels was none and is folders now'),
    ({'videos': [8, 'abc']}, 'the videos are other files now'),
  ],
)
def test_other_flags_are_refused(tmp_path, change, message):
  fill(tmp_path / 'a', range(1))
  with pytest.raises(errors.UserError, match=message):
    open_store(tmp_path / 'a', {**STAMP, **change})
  assert len(content(tmp_path / 'a')[0]) == 2


def test_nothing_is_left_of_a_run_without_results(tmp_path):
  with open_store(tmp_path / 'a'):
    assert (tmp_path / 'a').is_file()
  assert not list(tmp_path.iterdir())


def hold(folder, ready):
  with open_store(folder):
    ready.set()
    multiprocessing.Event().wait()


def test_one_writer_at_a_time(tmp_path):
  context = multiprocessing.get_context('spawn')
  ready = context.Event()
  process = context.Process(
    target=hold, args=(tmp_path / 'a', ready), daemon=True
  )
  process.start()
  while not ready.wait(1):
    assert process.is_alive()
  with pytest.raises(errors.UserError, match='another process is writing'):
    open_store(tmp_path / 'a')
  process.kill()
  process.join()
  process.close()
  fill(tmp_path / 'a', range(1))


def change(path, statement, *values):
  with contextlib.closing(sqlite3.connect(path)) as database, database:
    database.execute(statement, values)


@pytest.mark.parametrize(
  'damage',
  [
    lambda path: path.write_bytes(b'no database' * 1000),
    lambda path: path.write_bytes(path.read_bytes()[:4096]),
    lambda path: change(path, 'UPDATE stamp SET json = ?', '{'),
    lambda path: change(path, 'UPDATE stamp SET json = ?', '[1]'),
    lambda path: change(path, 'UPDATE videos SET record = ?', '{"a"'),
    lambda path: change(path, 'UPDATE videos SET record = ?', '7'),
    lambda path: change(path, 'UPDATE videos SET features = NULL'),
    lambda path: change(path, 'UPDATE videos SET features = ?', b'short'),
  ],
)
def test_damage_is_named_and_kept(tmp_path, damage):
  fill(tmp_path / 'a', range(2))
  damage(tmp_path / 'a')
  before = (tmp_path / 'a').read_bytes()
  with pytest.raises(errors.UserError, match='is damaged; delete it'):
    content(tmp_path / 'a')
  assert (tmp_path / 'a').read_bytes() == before


def test_a_folder_of_an_older_version_is_named(tmp_path):
  with pytest.raises(errors.UserError, match='is a folder, as older'):
    open_store(tmp_path)
