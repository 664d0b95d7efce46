"""Damage is told from other trouble, in one sentence; nothing is unpickled."""

import pathlib
import pickle
import resource
import shutil
import sqlite3

import index_cases
import numpy as np
import pytest

from nph_jax.index import VideoIndex, database, engines, errors

BITS = 16


@pytest.fixture
def directory(tmp_path):
  """Two batches of 50 videos."""
  with VideoIndex.create(tmp_path / 'ix', BITS) as index:
    for seed in range(2):
      codes = index_cases.clustered(50, BITS // 8, seed)
      metadata = index_cases.metadata(50, 50 * seed)
      index.add(codes, metadata, index_cases.relaxed(codes))
  return tmp_path / 'ix'


def change(directory, statement, *values):
  connection = sqlite3.connect(directory / database.NAME)
  with connection:
    connection.execute(statement, values)
  connection.close()


def complaint(directory, call=lambda index: None, kind=errors.Damaged):
  with pytest.raises(kind) as caught:
    with VideoIndex.open(directory, read_only=True) as index:
      call(index)
  message = str(caught.value)
  assert '\n' not in message and message.endswith('.')
  return message


@pytest.mark.parametrize('column', ['ids', 'codes'])
@pytest.mark.parametrize('value', [b'', b'x', b'\xff' * 100, b'\xff' * 400])
def test_a_batch_is_what_was_written(directory, column, value):
  change(directory, f'UPDATE log SET {column} = ? WHERE number = 2', value)
  said = complaint(directory)
  assert 'entry 2 is not as it was written' in said
  for _ in range(2):  # the failed opening holds nothing
    with pytest.raises(errors.Damaged, match='entry 2 is not'):
      VideoIndex.open(directory)


def test_a_missing_batch_is_missed(directory):
  change(directory, 'DELETE FROM log WHERE number = 1')
  assert 'entry 1 is not' in complaint(directory)


@pytest.mark.parametrize(
  'change_it',
  [
    'relaxed = zeroblob(length(relaxed))',
    "metadata = replace(metadata, '60', '61')",
    'content = 7',
  ],
)
def test_a_row_is_checked_when_it_is_read(directory, change_it):
  change(directory, f'UPDATE videos SET {change_it} WHERE id = 60')
  with VideoIndex.open(directory, read_only=True) as index:
    assert index.get(59)[2]['path'] == 'videos/59.mp4'
    for call in (lambda: index.get(60), index.verify):
      with pytest.raises(errors.Damaged, match='the row of id 60 is damaged'):
        call()


@pytest.mark.parametrize(
  'harm',
  [
    lambda path: path.write_bytes(b'garbage' * 1000),
    lambda path: path.write_bytes(path.read_bytes()[:5000]),
    lambda path: path.write_bytes(path.read_bytes()[:1000]),
    lambda path: path.write_bytes(b''),
    lambda path: path.write_bytes(pickle.dumps({'a': 1})),
  ],
)
def test_damaged_sqlite(directory, harm):
  path = directory / 'index.sqlite'
  harm(path)
  assert complaint(directory).startswith(f'{path}: ')


def test_every_page_of_sqlite_filled_with_noise(directory):
  """Whatever is hit, it is a sentence or the whole and true content."""
  path = directory / 'index.sqlite'
  content, rng = path.read_bytes(), np.random.default_rng(0)
  for start in range(0, len(content), 4096):
    path.write_bytes(
      content[:start] + rng.bytes(4096) + content[start + 4096 :]
    )
    try:
      with VideoIndex.open(directory, read_only=True) as index:
        index.verify()
        assert index.items(limit=100) == list(
          enumerate(index_cases.metadata(100))
        )
    except errors.Damaged as error:
      assert str(directory) in str(error)


def test_damaged_lists_are_not_handed_to_faiss(tmp_path, monkeypatch):
  monkeypatch.setattr(engines, '_FEW', 100)
  codes = index_cases.clustered(300, BITS // 8)
  with VideoIndex.create(
    tmp_path / 'ix', BITS, engine='ivf', keep_relaxed=False
  ) as index:
    index.add(codes, None)
  change(
    tmp_path / 'ix',
    "UPDATE settings SET value = zeroblob(99) WHERE name = 'ivf'",
  )
  assert 'the lists of ivf are damaged' in complaint(tmp_path / 'ix')


@pytest.mark.parametrize(
  ('version', 'words'),
  [
    (1, r'older version of nph_jax \(format 1, not 2\); build the index anew'),
    (99, 'has format 99, newer than'),
  ],
)
def test_an_index_of_another_version_says_what_to_do(directory, version, words):
  change(directory, f'PRAGMA user_version = {version}')
  for read_only in (False, True):
    with pytest.raises(errors.Damaged, match=words):
      VideoIndex.open(directory, read_only=read_only)


def test_a_limit_of_file_sizes_is_no_damage(directory):
  """SQLite calls it an I/O error: what is there is whole."""
  size = (directory / database.NAME).stat().st_size
  soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
  codes = index_cases.clustered(5000, BITS // 8)
  with VideoIndex.open(directory) as index:
    resource.setrlimit(resource.RLIMIT_FSIZE, (size + 50_000, hard))
    try:
      with pytest.raises(errors.Unavailable) as caught:
        index.add(codes, None, index_cases.relaxed(codes))
    finally:
      resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    said = str(caught.value)
    assert 'damaged' not in said and 'file sizes' in said
    index.verify()
    assert len(index) == 100
    assert len(index.add(codes, None, index_cases.relaxed(codes))) == 5000


@pytest.mark.parametrize(
  ('code', 'kind', 'words'),
  [
    (sqlite3.SQLITE_FULL, errors.Unavailable, 'the disk is full'),
    (sqlite3.SQLITE_IOERR_READ, errors.Unavailable, 'did not read or write'),
    (sqlite3.SQLITE_BUSY, errors.Unavailable, 'busy in another program'),
    (sqlite3.SQLITE_READONLY, errors.Unavailable, 'check who may write'),
    (sqlite3.SQLITE_CORRUPT, errors.Damaged, 'is damaged'),
    (sqlite3.SQLITE_IOERR_CORRUPTFS, errors.Damaged, 'is damaged'),
  ],
)
def test_what_sqlite_says_has_a_class(code, kind, words):
  error = sqlite3.DatabaseError('said')
  error.sqlite_errorcode = code
  with pytest.raises(kind, match=words) as caught:
    with database.guarded(pathlib.Path('ix/index.sqlite')):
      raise error
  assert type(caught.value) is kind


def test_a_backup_is_checked_before_it_counts(directory, tmp_path):
  with VideoIndex.open(directory) as index:
    index.backup(tmp_path / 'whole')
    with pytest.raises(errors.InvalidRequest, match='is there already'):
      index.backup(tmp_path / 'whole')
  shutil.copy(tmp_path / 'whole', tmp_path / 'bad')
  connection = sqlite3.connect(tmp_path / 'bad')
  with connection:
    connection.execute("UPDATE log SET codes = x'00'")
  connection.close()
  with pytest.raises(errors.Damaged, match='entry 1 is not'):
    VideoIndex.restore(tmp_path / 'bad', tmp_path / 'new')
  assert not (tmp_path / 'new').exists()
  with pytest.raises(errors.InvalidRequest, match='an index is there already'):
    VideoIndex.restore(tmp_path / 'whole', directory)
  with pytest.raises(errors.InvalidRequest, match='is no file'):
    VideoIndex.restore(tmp_path / 'none', tmp_path / 'new')
