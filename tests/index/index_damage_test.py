"""Damaged files are named in one sentence; nothing is unpickled."""

import pathlib
import pickle
import re

import index_cases
import numpy as np
import pytest

from nph_jax import errors
from nph_jax.retrieval.video_index import VideoIndex

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


def flip(path, position):
  content = bytearray(path.read_bytes())
  content[position] ^= 4
  path.write_bytes(content)


def complaint(directory, call=lambda index: None):
  with pytest.raises(errors.UserError) as caught:
    with VideoIndex.open(directory, read_only=True) as index:
      call(index)
  message = str(caught.value)
  assert '\n' not in message and message.endswith('.')
  return message


@pytest.mark.parametrize('kind', ['codes', 'ids'])
@pytest.mark.parametrize(
  'harm',
  [
    lambda path: path.unlink(),
    lambda path: path.write_bytes(b''),
    lambda path: path.write_bytes(path.read_bytes()[:-1]),
    lambda path: flip(path, 3),
    lambda path: flip(path, -1),
  ],
)
def test_damaged_rows(directory, kind, harm):
  path = directory / f'{kind}-0.bin'
  harm(path)
  assert complaint(directory).startswith(f'{path}: is missing, shortened or')
  with pytest.raises(errors.UserError):
    VideoIndex.open(directory)
  # The failed opening holds nothing.
  with pytest.raises(errors.UserError, match=re.escape(str(path))):
    VideoIndex.open(directory)


def test_t_is_checked_when_asked(directory):
  flip(directory / 'relaxed-0.bin', 1700)
  with VideoIndex.open(directory, read_only=True) as index:
    assert len(index) == 100
  said = complaint(directory, lambda index: index.verify())
  assert said.startswith(str(directory / 'relaxed-0.bin'))
  (directory / 'relaxed-0.bin').write_bytes(b'x')
  assert complaint(directory).startswith(str(directory / 'relaxed-0.bin'))


@pytest.mark.parametrize(
  'harm',
  [
    lambda path: path.write_bytes(b'garbage' * 1000),
    lambda path: path.write_bytes(path.read_bytes()[:5000]),
    lambda path: path.write_bytes(path.read_bytes()[:1000]),
    lambda path: path.write_bytes(b''),
    lambda path: path.write_bytes(pickle.dumps({'a': 1})),
    lambda path: path.unlink(),
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
    except errors.UserError as error:
      assert str(path) in str(error) or str(directory) in str(error)


@pytest.mark.parametrize('name', ['engine.faiss', 'engine.json'])
@pytest.mark.parametrize(
  'harm',
  [
    lambda path: flip(path, 30),
    lambda path: path.write_bytes(b'{}'),
    lambda path: path.unlink(),
  ],
)
def test_a_damaged_snapshot_is_made_anew(tmp_path, name, harm):
  codes = index_cases.clustered(300, BITS // 8)
  folder = pathlib.Path(tmp_path / 'ix')
  with VideoIndex.create(
    folder, BITS, engine='ivf', keep_relaxed=False
  ) as index:
    index.add(codes, None)
  harm(folder / name)
  with VideoIndex.open(folder) as index:
    found = index.search_arrays(codes[:5], 9)
  np.testing.assert_array_equal(
    found, index_cases.nearest(codes[:5], codes, range(300), 9)
  )
