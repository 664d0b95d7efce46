"""Settings before jax starts, and where real data may lie."""

import os
import pathlib

# Virtual CPU devices wait for each other in threads; on a machine of few cores
# the pool is else too small for them and the wait never ends.
os.environ.setdefault('NPROC', '16')
os.environ.setdefault('TF_CPP_MIN_LOG_LEVEL', '3')
# Not the user's own cache; shared by all tests and their subprocesses.
os.environ.setdefault(
  'JAX_COMPILATION_CACHE_DIR',
  str(pathlib.Path(__file__).parent.parent / '.pytest_cache' / 'compiled'),
)

import pytest

ROOT = pathlib.Path(__file__).parent.parent


@pytest.fixture
def shared_data():
  """Function from a data set's name to its folder; skips when it is absent."""

  def find(name):
    folder = ROOT.parent / 'shared' / 'data' / name
    if not folder.is_dir():
      pytest.skip(f'no {name} beside the checkout')
    return folder

  return find
