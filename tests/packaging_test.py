"""What a fresh clone relies on: metadata, lock, Makefile, light imports."""

import configparser
import os
import pathlib
import re
import shutil
import subprocess
import sys
import tarfile
import zipfile

import programs
import pytest
import yaml
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from nph_jax import serve

ROOT = pathlib.Path(__file__).parent.parent
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


def test_the_containers_run_commands_that_there_are(monkeypatch):
  from nph_jax.library import commands, running

  def served(flags, rest):
    needed = [f'--index={flags.index}', '--bundle=export']
    called.append(serve._parser().parse_args([*needed, *rest]))

  called = []
  monkeypatch.setattr(running, 'add', called.append)
  monkeypatch.setattr(running, 'serve', served)
  services = yaml.safe_load((ROOT / 'compose.yaml').read_text())['services']
  for name in ('add', 'search'):
    command, *flags = services[name]['command']
    getattr(commands, command)(flags)
  add, search = called
  assert add.videos == ['/videos'] and search.read_only
  assert str(add.index) == str(search.index) == '/library'
  dockerfile = (ROOT / 'Dockerfile').read_text()
  installed = re.search(r'^ARG EXTRAS=(\S+)$', dockerfile, re.M)[1]
  assert {*installed.split(','), 'cuda'} <= set(extras())
  python = re.search(r'^ARG PYTHON=(\S+)$', dockerfile, re.M)[1]
  assert f':: {python}\n' in setup_cfg()['metadata']['classifiers'] + '\n'


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


def checked_out():
  """The files that git has or would add, relative to the root."""
  listed = subprocess.run(
    ['git', 'ls-files', '-z', '--cached', '--others', '--exclude-standard'],
    cwd=ROOT,
    capture_output=True,
  )
  if listed.returncode:
    pytest.skip('not a git checkout')
  names = [name for name in listed.stdout.decode().split('\0') if name]
  return [name for name in names if (ROOT / name).is_file()]


def test_no_machine_paths_in_files():
  names = checked_out()
  assert 'nph_jax/main.py' in names
  paths = [ROOT / name for name in names]
  assert not [path for path in paths if MACHINE_PATH.search(path.read_bytes())]


def build(kind, folder):
  """The sdist or the wheel of a folder, built by its own backend."""
  program = f"""
import setuptools.build_meta as backend
print(backend.build_{kind}('dist'))"""
  output = subprocess.check_output(
    [sys.executable, '-c', program], cwd=folder, text=True
  )
  return folder / 'dist' / output.splitlines()[-1]


@pytest.fixture(scope='module')
def sdist(tmp_path_factory):
  """The unpacked source distribution."""
  root = tmp_path_factory.mktemp('sdist')
  for name in checked_out():
    (root / 'tree' / name).parent.mkdir(parents=True, exist_ok=True)
    shutil.copy(ROOT / name, root / 'tree' / name)
  with tarfile.open(build('sdist', root / 'tree')) as archive:
    archive.extractall(root, filter='data')
  (folder,) = root.glob('nph_jax-*')
  return folder


@pytest.fixture(scope='module')
def site(sdist, tmp_path_factory):
  """A folder that holds the wheel of the sdist, as pip unpacks it."""
  folder = tmp_path_factory.mktemp('site')
  with zipfile.ZipFile(build('wheel', sdist)) as archive:
    archive.extractall(folder)
  return folder


def test_the_sdist_is_the_whole_checkout(sdist):
  names = set(checked_out()) - {'.gitignore'}
  assert {'configs/fcvid.py', 'CITATION.cff', 'tests/conftest.py'} < names
  assert not [name for name in names if not (sdist / name).is_file()]


def test_the_wheel_is_the_whole_package(site):
  names = [x for x in checked_out() if x.startswith(('nph_jax/', 'configs/'))]
  names = [x if x.startswith('nph') else f'nph_jax/{x}' for x in names]
  assert {'nph_jax/configs/fcvid.py', 'nph_jax/py.typed'} < set(names)
  assert not [name for name in names if not (site / name).is_file()]
  tops = {path.name for path in site.iterdir()}
  assert len(tops) == 2 and 'nph_jax' in tops  # no tests, no configs beside it


def installed(site, folder, *arguments):
  """Runs python in a folder where nothing but the wheel is."""
  return programs.run(*arguments, cwd=folder, PYTHONPATH=str(site))


def test_commands_of_the_wheel_can_be_imported(site, tmp_path):
  program = f"""
import importlib.metadata as metadata
(found,) = metadata.distributions(path=[{str(site)!r}])
for point in found.entry_points:
  print(point.name, point.load().__module__)
import nph_jax
print(nph_jax.__file__, nph_jax.__version__)"""
  result = installed(site, tmp_path, '-c', program)
  assert result.returncode == 0, result.stderr
  *commands, package = result.stdout.splitlines()
  metadata = setup_cfg()
  version = metadata['metadata']['version']
  assert package == f'{site / "nph_jax" / "__init__.py"} {version}'
  scripts = metadata.get('options.entry_points', 'console_scripts', fallback='')
  claimed = [line.partition('=')[0].strip() for line in scripts.split('\n')]
  assert [x.split()[0] for x in commands] == [name for name in claimed if name]


def test_the_wheel_trains_by_a_packaged_configuration(site, tmp_path):
  videos = {'train': 40, 'query': 9, 'database': 20}
  result = installed(
    site, tmp_path, '-m', 'nph_jax.main', '--workdir=run',
    '--config', 'moving_digits:itq,bits=8', '--config.data.num_frames=2',
    *(f'--config.data.{k}.num_videos={v}' for k, v in videos.items()),
  )  # fmt: skip
  assert result.returncode == 0, result.stderr
  assert 'itq, 8 bits, moving_digits' in result.stdout
  assert (tmp_path / 'run' / 'export' / 'manifest.json').is_file()
