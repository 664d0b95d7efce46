"""The file of a library where it is not as it was written."""

import sqlite3
import subprocess
import sys

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


def test_a_store_alone_is_of_one_process(tmp_path):
  with (
    store.Store(tmp_path, alone='f.partial'),
    pytest.raises(errors.UserError, match='another process is writing'),
  ):
    store.Store(tmp_path, alone='f.partial')
  with store.Store(tmp_path, alone='f.partial') as opened:
    assert not opened.files()


def test_a_full_disk_keeps_what_was_there(folder):
  script = (
    'import pathlib, resource, sys\n'
    'import numpy as np\n'
    'from nph_jax.library import store\n'
    'with store.Store(pathlib.Path(sys.argv[1])) as opened:\n'
    '  resource.setrlimit(resource.RLIMIT_FSIZE, (30000, 30000))\n'
    '  frames = np.zeros((2, 3))\n'
    '  for number in range(999):\n'
    '    opened.put(f"/{number}", (1, 2), {"x": "x" * 99}, frames)\n'
  )
  result = subprocess.run(
    [sys.executable, '-c', script, folder], capture_output=True, text=True
  )
  assert 'free some space' in result.stderr and 'damaged' not in result.stderr
  with store.Store(folder) as opened:
    files = opened.files()
    assert files[0].path == '/a.mp4' and len(files) < 999
    assert len(opened.frames(files)) == len(files)
