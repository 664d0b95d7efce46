"""The job with methods that need no neighbourhood, two of them no training."""

import json

import digits_runs
import numpy as np
import pytest

from nph_jax import errors, pipeline
from nph_jax.export import load_hasher

METHODS = ('itq', 'mfh', 'dh')
DIGITS = digits_runs.Digits(
  {'train': 200, 'query': 40, 'database': 150}, seed=3, num_frames=4, canvas=9
)


def digits_config(name, data_dir, num_bits=16):
  config = DIGITS.config(name, data_dir, num_bits, num_steps=30)
  # Wrong for so few videos, but not for a method without anchors.
  config.neighborhood.num_anchors = 10_000
  return config


@pytest.fixture(scope='module')
def data_dir(tmp_path_factory):
  return tmp_path_factory.mktemp('data')


@pytest.fixture(scope='module', params=METHODS)
def name(request):
  return request.param


@pytest.fixture(scope='module')
def workdir(name, data_dir, tmp_path_factory):
  """Of a finished run."""
  folder = tmp_path_factory.mktemp(name) / 'run'
  pipeline.run(
    digits_config(name, data_dir), str(folder), tuple(pipeline.STAGES)
  )
  return folder


def test_beats_random_codes(workdir):
  metrics = json.loads((workdir / 'metrics.json').read_text())
  found = digits_runs.map_at_20(metrics['map'])
  assert found > 1.3 * DIGITS.chance()


def test_the_exported_hasher_gives_the_same_codes(workdir):
  hasher = load_hasher(workdir / 'export')
  for split in ('query', 'database'):
    stored = np.load(workdir / 'codes' / f'{split}.npy')
    np.testing.assert_array_equal(hasher.encode(DIGITS.split(split)[0]), stored)


def test_nothing_of_a_neighbourhood_is_made_or_told(workdir):
  assert not (workdir / 'neighborhood').exists()
  assert not (workdir / 'logs' / 'autoencoder').exists()
  assert 'anchors' not in (workdir / 'report.md').read_text()
  with np.load(workdir / 'export' / 'parameters.npz') as file:
    assert {key.partition('/')[0] for key in file} == {'method'}
  readme = (workdir / 'export' / 'README.md').read_text()
  assert 'its parameters: method |' in readme


def test_steps_are_those_of_a_closed_form_or_of_the_configuration(
  name, workdir
):
  steps = 30 if name == 'dh' else 0
  metrics = json.loads((workdir / 'metrics.json').read_text())
  assert metrics['step'] == steps
  assert (workdir / 'checkpoints' / str(steps)).is_dir()
  report = (workdir / 'report.md').read_text()
  assert ('closed form' in report) == (steps == 0)
  assert ('30 steps of' in report) == (steps == 30)
  assert (workdir / 'logs').exists() == (steps == 30)


def test_a_second_run_skips_every_stage(name, workdir, data_dir, capsys):
  files = [path for path in workdir.rglob('*') if path.name != 'config.json']
  before = {path: path.stat().st_mtime_ns for path in files if path.is_file()}
  pipeline.run(
    digits_config(name, data_dir), str(workdir), tuple(pipeline.STAGES)
  )
  assert {path: path.stat().st_mtime_ns for path in before} == before
  told = capsys.readouterr().err.splitlines()
  assert [line.partition(':')[0] for line in told] == [
    '1/4 prepare', '2/4 train', '3/4 evaluate', '4/4 export'
  ]  # fmt: skip
  assert ('no training gave better codes' in told[1]) == (name == 'dh')


def test_evaluation_before_training_is_an_error(data_dir, tmp_path):
  config = digits_config('itq', data_dir)
  with pytest.raises(errors.UserError, match='run the stage train first'):
    pipeline.run(config, str(tmp_path / 'run'), ('evaluate',))
  assert not (tmp_path / 'run' / 'tables.npz').exists()


def test_more_bits_than_the_frames_are_wide_stop_before_all(data_dir, tmp_path):
  config = digits_config('itq', data_dir, num_bits=128)
  with pytest.raises(errors.UserError, match='ask this method for 80 bits'):
    pipeline.run(config, str(tmp_path / 'run'), tuple(pipeline.STAGES))
  assert not (tmp_path / 'run').exists()
