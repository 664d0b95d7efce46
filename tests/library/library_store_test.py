"""The file of a library where it is not as it was written."""

import sqlite3

import numpy as np
import pytest

from nph_jax import errors
from nph_jax.library import store


@pytest.fixture
def folder(tmp_path):
  """A store of one file."""
  with store.Store(tmp_path) as opened:
    opened.set(num_frames=2, feature_dim=3)
    frames = np.arange(6, dtype=np.float16).reshape(2, 3)
    opened.put('/a.mp4', (1, 2), {'hash': 'x'}, frames)
  return tmp_path


def change(folder, statement):
  database = sqlite3.connect(folder / store.NAME)
  with database:
    database.execute(statement)
  database.close()


def test_what_was_put_is_there_when_opened_again(folder):
  with store.Store(folder, read_only=True) as opened:
    (file,) = opened.waiting()
    assert (file.path, file.stamp, file.video) == ('/a.mp4', (1, 2), None)
    expected = np.arange(6, dtype=np.float16).reshape(1, 2, 3)
    np.testing.assert_array_equal(opened.frames([file]), expected)


@pytest.mark.parametrize(
  'statement',
  [
    'DELETE FROM features',
    "UPDATE features SET frames = x'00'",
    "UPDATE files SET record = '{'",
  ],
)
def test_a_damaged_row_is_said(folder, statement):
  change(folder, statement)
  with (
    store.Store(folder) as opened,
    pytest.raises(errors.UserError, match='is damaged'),
  ):
    opened.frames(opened.files())


def test_another_file_in_its_place_is_said(folder):
  (folder / store.NAME).write_bytes(b'no database' * 100)
  with pytest.raises(errors.UserError, match='is damaged'):
    store.Store(folder)


def test_features_go_with_their_file(folder):
  with store.Store(folder) as opened:
    opened.forget(opened.files())
  database = sqlite3.connect(folder / store.NAME)
  assert database.execute('SELECT count(*) FROM features').fetchone() == (0,)
  database.close()
