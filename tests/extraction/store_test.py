"""The store of an unfinished run, cut off at every byte it ever had."""

import multiprocessing

import numpy as np
import pytest

from nph_jax import errors
from nph_jax.extraction import store

SHAPE, GROUP = (2, 3), 2
STAMP = {'num_frames': 2, 'labels': 'none', 'videos': [7, 'abc']}


def open_store(folder, stamp=STAMP):
  return store.Partial(folder, stamp, SHAPE, GROUP)


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
    return list(partial.records), np.array(partial.rows())


def test_continues_where_it_was(tmp_path):
  fill(tmp_path / 'whole', range(4))
  fill(tmp_path / 'parts', range(2))
  fill(tmp_path / 'parts', range(2, 4))
  whole, parts = content(tmp_path / 'whole'), content(tmp_path / 'parts')
  assert whole[0] == parts[0] and len(whole[0]) == 8
  np.testing.assert_array_equal(whole[1], parts[1])
  assert len(whole[1]) == 7


@pytest.mark.parametrize('name', ['rows.f16', 'records.jsonl'])
def test_any_moment_of_a_write_leaves_whole_groups(tmp_path, name):
  """Rows are written first: they may be too many, or a part of one."""
  fill(tmp_path / 'before', range(2))
  fill(tmp_path / 'after', range(3))
  old = (tmp_path / 'before' / name).read_bytes()
  new = (tmp_path / 'after' / name).read_bytes()
  assert new.startswith(old)
  torn = tmp_path / 'torn'
  for stop in range(len(old), len(new)):
    fill(torn, range(2))
    (torn / 'rows.f16').write_bytes((tmp_path / 'after/rows.f16').read_bytes())
    (torn / name).write_bytes(new[:stop])
    records, rows = content(torn)
    assert records == content(tmp_path / 'before')[0]
    assert rows[:, 0, 0].tolist() == [0, 0, 1, 1]
    fill(torn, [2])
    assert content(torn)[0] == content(tmp_path / 'after')[0]
    store.remove(torn)


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
    assert (tmp_path / 'a').is_dir()
  assert not (tmp_path / 'a').exists()


def hold(folder, ready):
  with open_store(folder):
    ready.set()
    ready.wait(60)
    multiprocessing.Event().wait(60)


def test_one_writer_at_a_time(tmp_path):
  context = multiprocessing.get_context('spawn')
  ready = context.Event()
  process = context.Process(target=hold, args=(tmp_path / 'a', ready))
  process.start()
  assert ready.wait(60)
  with pytest.raises(errors.UserError, match='another process is writing'):
    open_store(tmp_path / 'a')
  process.kill()
  process.join()
  process.close()
  fill(tmp_path / 'a', range(1))


@pytest.mark.parametrize(
  ('name', 'content', 'said'),
  [
    ('flags.json', b'', 'flags.json is damaged'),
    ('flags.json', b'[1]', 'flags.json is damaged'),
    ('flags.json', b'\xff{', 'flags.json is damaged'),
    ('records.jsonl', b'{}\n{"a"\n', 'line 2 of records.jsonl is damaged'),
    ('records.jsonl', b'7\n{}\n', 'line 1 of records.jsonl is damaged'),
    ('records.jsonl', b'\xff\n' * 2, 'line 1 of records.jsonl is damaged'),
  ],
)
def test_damaged_files_are_named_and_kept(tmp_path, name, content, said):
  fill(tmp_path / 'a', range(2))
  (tmp_path / 'a' / name).write_bytes(content)
  with pytest.raises(errors.UserError, match=f'{said}; delete the folder'):
    open_store(tmp_path / 'a')
  assert (tmp_path / 'a' / name).read_bytes() == content


def test_rows_that_were_shortened_are_no_zeros(tmp_path):
  fill(tmp_path / 'a', range(2))
  rows = tmp_path / 'a' / 'rows.f16'
  rows.write_bytes(rows.read_bytes()[:-1])
  with pytest.raises(errors.UserError, match='rows.f16 was shortened'):
    open_store(tmp_path / 'a')
