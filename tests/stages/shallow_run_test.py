"""The job with methods that need no neighbourhood, two of them no training."""

import json

import numpy as np
import pytest

from nph_jax import configuration, errors, job
from nph_jax.data import moving_digits
from nph_jax.export import load_hasher
from nph_jax.models import registry
from nph_jax.retrieval import evaluation

VIDEOS = {'train': 200, 'query': 40, 'database': 150}
SEED, NUM_FRAMES, CANVAS = 3, 4, 9
METHODS = ('itq', 'mfh', 'dh')


def digits_config(name, data_dir, num_bits=16):
  config = configuration.base(f'{name},bits={num_bits}')
  config.seed = SEED
  config.data.name, config.data.dir = 'moving_digits', str(data_dir)
  config.data.num_frames, config.data.canvas = NUM_FRAMES, CANVAS
  config.data.num_labels = 10
  for split, count in VIDEOS.items():
    config.data[split].num_videos = count
  config.train.num_epochs, config.train.num_steps = 0, 30
  # Wrong for so few videos, but not for a method without anchors.
  config.neighborhood.num_anchors = 10_000
  configuration.check(config, tuple(registry.METHODS))
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
  job.run(digits_config(name, data_dir), str(folder), tuple(job.STAGES))
  return folder


def digits(split):
  return moving_digits.make_videos(
    split, 0, VIDEOS[split], seed=SEED, num_frames=NUM_FRAMES, canvas=CANVAS
  )


def map_at_20(rows):
  (value,) = (
    row['value']
    for row in rows
    if (row['k'], row['denominator'], row['ties'], row['exclude_self'])
    == (20, 'min_rk', 'expected', False)
  )
  return value


def test_beats_random_codes(workdir):
  rng = np.random.default_rng(0)
  labels = [digits(split)[1] for split in ('query', 'database')]
  codes = [
    rng.integers(0, 256, (len(rows), 2)).astype(np.uint8) for rows in labels
  ]
  chance = evaluation.evaluate_codes(
    codes[0], labels[0], codes[1], labels[1], ks=(20,)
  )
  metrics = json.loads((workdir / 'metrics.json').read_text())
  assert map_at_20(metrics['map']) > 1.3 * map_at_20(chance.map)


def test_the_exported_hasher_gives_the_same_codes(workdir):
  hasher = load_hasher(workdir / 'export')
  for split in ('query', 'database'):
    stored = np.load(workdir / 'codes' / f'{split}.npy')
    np.testing.assert_array_equal(hasher.encode(digits(split)[0]), stored)


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


def test_a_second_run_skips_every_stage_and_says_why(
  name, workdir, data_dir, capsys
):
  files = [path for path in workdir.rglob('*') if path.name != 'config.json']
  before = {path: path.stat().st_mtime_ns for path in files if path.is_file()}
  job.run(digits_config(name, data_dir), str(workdir), tuple(job.STAGES))
  assert {path: path.stat().st_mtime_ns for path in before} == before
  assert f'prepare: {name} needs no neighbourhood' in capsys.readouterr().err


def test_evaluation_before_training_is_an_error(data_dir, tmp_path):
  config = digits_config('itq', data_dir)
  with pytest.raises(errors.UserError, match='run the stage train first'):
    job.run(config, str(tmp_path / 'run'), ('evaluate',))
  assert not (tmp_path / 'run' / 'tables.npz').exists()


def test_more_bits_than_the_frames_are_wide_stop_before_all(data_dir, tmp_path):
  config = digits_config('itq', data_dir, num_bits=128)
  with pytest.raises(errors.UserError, match='ask this method for 80 bits'):
    job.run(config, str(tmp_path / 'run'), tuple(job.STAGES))
  assert not (tmp_path / 'run').exists()
