"""Settings before jax starts, and where real data may lie."""

import os
import pathlib
import tempfile

# Virtual CPU devices wait for each other in threads; on a machine of few cores
# the pool is else too small for them and the wait never ends.
os.environ.setdefault('NPROC', '16')
os.environ.setdefault('TF_CPP_MIN_LOG_LEVEL', '3')
# What is compiled here runs once or twice; to optimise it fully is most of the
# suite's time. `make test-all` has it as users do.
os.environ.setdefault('XLA_FLAGS', '--xla_backend_optimization_level=0')
os.environ.setdefault('JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS', '0')
# Of this run alone, for all its processes; not the user's own.
if 'JAX_COMPILATION_CACHE_DIR' not in os.environ:
  COMPILED = tempfile.TemporaryDirectory(prefix='compiled-')
  os.environ['JAX_COMPILATION_CACHE_DIR'] = COMPILED.name

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


@pytest.fixture
def float64():
  """Equations are compared in double precision."""
  import jax

  with jax.enable_x64(True):
    yield
