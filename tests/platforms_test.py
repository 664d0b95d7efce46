"""What only Unix has is missed by nothing that can do without it."""

import ast
import pathlib
import sys

import programs
import pytest

from nph_jax.service import sandbox, server

ROOT = pathlib.Path(__file__).parents[1]
UNIX = {'fcntl', 'grp', 'pwd', 'resource', 'termios'}


def imported_at_once(tree):
  """The modules that importing a file imports, but for those in functions."""
  for node in ast.iter_child_nodes(tree):
    if isinstance(node, ast.Import):
      yield from (alias.name for alias in node.names)
    elif isinstance(node, ast.ImportFrom):
      yield node.module or ''
    elif not isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
      yield from imported_at_once(node)


def test_no_file_needs_unix_to_be_imported():
  files = [
    path
    for folder in ('configs', 'examples', 'experiments', 'nph_jax')
    for path in (ROOT / folder).rglob('*.py')
  ]
  assert ROOT / 'nph_jax' / 'atomic.py' in files
  needs = {
    str(path.relative_to(ROOT)): UNIX & {*imported_at_once(tree)}
    for path in files
    for tree in [ast.parse(path.read_text('utf-8'))]
  }
  assert {name: found for name, found in needs.items() if found} == {}


@pytest.fixture
def windows(monkeypatch):
  """A system without the module `resource`."""
  monkeypatch.setitem(sys.modules, 'resource', None)
  monkeypatch.setattr(sys, 'platform', 'win32')


def test_decoding_has_no_limits_where_there_are_none(windows):
  assert sandbox.leave_network() is False
  sandbox.limit(1 << 20)


def test_a_server_counts_on_few_files_where_it_cannot_ask(windows):
  assert 64 < server._raised_files() < 2048


def test_a_lock_is_held_by_one_without_fcntl(tmp_path):
  program = f"""
import sys, warnings
warnings.simplefilter('ignore')  # filelock tells that a file has to stand in
sys.modules['fcntl'] = None
from nph_jax import atomic
path = {str(tmp_path / 'lock')!r}
lock = atomic.lock(path)
assert lock is not None and atomic.lock(path) is None
lock.release()
assert atomic.lock(path, wait=True) is not None"""
  assert programs.run('-c', program).returncode == 0
