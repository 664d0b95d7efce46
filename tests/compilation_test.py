"""The persistent cache of compiled programs."""

import pathlib

import programs

PROGRAM = """
from nph_jax import compilation
compilation.use_persistent_cache()
import jax
print(jax.config.jax_compilation_cache_dir)
"""


def folder(monkeypatch, **environment):
  for name in ('JAX_COMPILATION_CACHE_DIR', 'XDG_CACHE_HOME'):
    monkeypatch.delenv(name, raising=False)
  for name, value in environment.items():
    monkeypatch.setenv(name, str(value))
  return programs.run('-c', PROGRAM).stdout.strip()


def test_in_the_users_cache_folder(monkeypatch, tmp_path):
  found = pathlib.Path(folder(monkeypatch, XDG_CACHE_HOME=tmp_path))
  assert found.parent == tmp_path / 'nph_jax' and found.is_dir()


def test_elsewhere_if_the_environment_says_so(monkeypatch, tmp_path):
  chosen = tmp_path / 'elsewhere'
  assert folder(monkeypatch, JAX_COMPILATION_CACHE_DIR=chosen) == str(chosen)


def test_none_where_nothing_can_be_written(monkeypatch, tmp_path):
  blocked = tmp_path / 'file'
  blocked.write_text('')
  assert folder(monkeypatch, XDG_CACHE_HOME=blocked) == 'None'
