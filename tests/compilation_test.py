"""The persistent cache of compiled programs."""

import pathlib

import programs

PROGRAM = """
from nph_jax import compilation
compilation.set_up()
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


def test_programs_that_compile_soon_are_kept_too(monkeypatch, tmp_path):
  name = 'jax_persistent_cache_min_compile_time_secs'
  monkeypatch.setenv('JAX_COMPILATION_CACHE_DIR', str(tmp_path))
  program = PROGRAM.replace('jax_compilation_cache_dir', name)
  monkeypatch.delenv(name.upper(), raising=False)
  assert float(programs.run('-c', program).stdout) == 0
  monkeypatch.setenv(name.upper(), '3')
  assert float(programs.run('-c', program).stdout) == 3


FLAGS = """
import importlib.metadata, importlib.util, os, sys
plugin, version = sys.argv[1:]
importlib.util.find_spec = lambda name: name == plugin
importlib.metadata.version = lambda name: version
from nph_jax import compilation
compilation.set_up()
print(os.environ.get('XLA_FLAGS', ''))
"""


def flags(monkeypatch, plugin, version, given=''):
  monkeypatch.setenv('XLA_FLAGS', given)
  return programs.run('-c', FLAGS, plugin, version).stdout.split()


def test_xla_tunes_less_on_gpus_where_it_knows_the_flags(monkeypatch):
  ours = [
    '--xla_gpu_enable_triton_gemm=false',
    '--xla_gpu_experimental_enable_fusion_autotuner=false',
  ]
  plugin = 'jax_cuda13_plugin'
  assert flags(monkeypatch, plugin, '0.12.0.1') == ours
  assert flags(monkeypatch, plugin, '1.0') == []
  assert flags(monkeypatch, '', '0.12.0') == []
  chosen = ours[0].replace('false', 'true')
  assert flags(monkeypatch, plugin, '0.11.2', chosen) == [chosen, ours[1]]


def test_this_jax_takes_what_is_set_for_it():
  pretend = 'import importlib.util; importlib.util.find_spec = lambda name: 1'
  code = 'from nph_jax import compilation; compilation.set_up()'
  use = 'import jax.numpy; print(jax.numpy.ones(2).sum())'
  assert programs.run('-c', f'{pretend}\n{code}\n{use}').stdout == '2.0\n'
