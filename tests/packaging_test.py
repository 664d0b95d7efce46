"""What a fresh clone relies on: metadata, lock, Makefile, light imports."""

import configparser
import json
import os
import pathlib
import re
import shutil
import subprocess
import sys

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = pathlib.Path(__file__).parent.parent
HEAVY = (
  'flax',
  'jax',
  'matplotlib',
  'numpy',
  'optax',
  'orbax',
  'scipy',
  'sklearn',
  'tensorflow',
  'tensorflow_datasets',
)
# The homes and scratch folders of whoever wrote a file.
MACHINE_PATH = re.compile(rb'(?<![\w.])/(?:home|root|Users|work|tmp)/\w')


def setup_cfg():
  parser = configparser.ConfigParser()
  parser.read(ROOT / 'setup.cfg')
  return parser


def requirements(name):
  lines = (ROOT / name).read_text().splitlines()
  return [Requirement(x) for x in lines if x and not x.startswith(('#', '-'))]


def extras():
  section = setup_cfg()['options.extras_require']
  return {
    name: [Requirement(line) for line in text.strip().splitlines()]
    for name, text in section.items()
  }


def make(folder, *arguments):
  """Runs make as a user would, not as a child of `make test`."""
  if shutil.which('make') is None:
    pytest.skip('no make')
  environment = {
    k: v for k, v in os.environ.items() if 'MAKE' not in k and k != 'NEWEST'
  }
  return subprocess.run(
    ['make', *arguments],
    cwd=folder,
    env=environment,
    stdin=subprocess.DEVNULL,
    capture_output=True,
    text=True,
  )


def test_extras_are_those_the_readme_offers():
  offered = {'video', 'serve', 'milvus'}
  assert offered | {'cuda', 'cuda12', 'cuda13', 'dev'} <= set(extras())
  for name in ('cuda', 'cuda12', 'cuda13'):
    (jax,) = extras()[name]
    assert (jax.name, jax.extras) == ('jax', {name})


def test_lock_pins_every_direct_requirement_within_its_bounds():
  pins = {
    canonicalize_name(pin.name): pin for pin in requirements('constraints.txt')
  }
  direct = requirements('requirements.txt')
  for extra in ('dev', 'video', 'serve', 'milvus'):
    direct += extras()[extra]
  for requirement in direct:
    (pin,) = pins[canonicalize_name(requirement.name)].specifier
    assert pin.operator == '=='
    assert requirement.specifier.contains(pin.version), requirement


def test_servers_that_a_range_keeps_busy_are_not_installed():
  (starlette,) = [x for x in extras()['serve'] if x.name == 'starlette']
  assert starlette.specifier.contains('0.49.1')
  for version in ('0.39.0', '0.49.0'):
    assert not starlette.specifier.contains(version)


def test_cuda_requirements_add_to_the_base():
  text = (ROOT / 'requirements-cuda.txt').read_text()
  assert '-r requirements.txt' in text.splitlines()
  assert [r.extras for r in requirements('requirements-cuda.txt')] == [{'cuda'}]


def test_ci_runs_make_test():
  script = ROOT / '.ci' / 'run'
  assert os.access(script, os.X_OK)
  assert script.read_text().rstrip().endswith('make test')


def test_the_workflow_tests_every_python_that_the_package_claims():
  workflow = (ROOT / '.github' / 'workflows' / 'test.yml').read_text()
  versions = re.compile(r'\b3\.\d+(?=\W)')
  claimed = versions.findall(setup_cfg()['metadata']['classifiers'] + '\n')
  assert versions.findall(workflow) == claimed


def test_wrong_python_is_one_sentence_and_leaves_nothing(tmp_path):
  for name in ('Makefile', 'setup.cfg', 'pyproject.toml', 'requirements.txt'):
    shutil.copy(ROOT / name, tmp_path)
  shutil.copy(ROOT / 'constraints.txt', tmp_path)
  result = make(tmp_path, 'demo', 'PYTHON=false')
  assert result.returncode != 0
  assert 'error: false is not Python 3.11, 3.12 or 3.13;' in result.stderr
  assert not (tmp_path / '.venv').exists()


@pytest.mark.parametrize(
  'target, expected',
  [
    ('demo', '.venv/bin/python -m nph_jax.main --config=configs/moving_digits'),
    ('test', '.venv/bin/python -m pytest'),
    ('test-all', "-m 'slow or not slow'"),
    ('lint', '.venv/bin/ruff format --check'),
    ('test NEWEST=1', '.venv-newest/bin/python -m pytest'),
  ],
)
def test_make_targets_need_no_activated_environment(target, expected):
  result = make(ROOT, '--dry-run', *target.split())
  assert result.returncode == 0, result.stderr
  assert expected in result.stdout


@pytest.mark.parametrize(
  'variables, versions',
  [([], '-c constraints.txt'), (['NEWEST=1'], '--upgrade')],
)
def test_newest_alone_is_free_of_the_constraints(variables, versions):
  result = make(ROOT, '--dry-run', '--always-make', 'venv', *variables)
  (line,) = [x for x in result.stdout.splitlines() if "-e '.[dev" in x]
  assert versions in line
  assert line.count('constraints') == (not variables)


def test_no_machine_paths_in_files():
  listed = subprocess.run(
    ['git', 'ls-files', '-z', '--cached', '--others', '--exclude-standard'],
    cwd=ROOT,
    capture_output=True,
  )
  if listed.returncode:
    pytest.skip('not a git checkout')
  names = [name for name in listed.stdout.decode().split('\0') if name]
  paths = [ROOT / name for name in names if (ROOT / name).is_file()]
  assert ROOT / 'nph_jax' / 'main.py' in paths
  assert not [path for path in paths if MACHINE_PATH.search(path.read_bytes())]


def test_the_package_imports_nothing_heavy():
  program = 'import json, sys, nph_jax; print(json.dumps(list(sys.modules)))'
  output = subprocess.check_output([sys.executable, '-c', program], cwd=ROOT)
  assert not set(HEAVY) & set(json.loads(output))


def test_help_of_the_main_job_imports_nothing_heavy():
  result = subprocess.run(
    [sys.executable, '-X', 'importtime', '-m', 'nph_jax.main', '--help'],
    cwd=ROOT,
    capture_output=True,
    text=True,
  )
  imported = re.findall(r'^import time:.*\| +(\S+)$', result.stderr, re.M)
  assert 'nph_jax.configuration' in imported
  assert not set(HEAVY) & set(imported)
  assert '--workdir' in result.stdout and '--config' in result.stdout
