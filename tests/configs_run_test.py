"""configs/activitynet.py on made-up files, from the shell as a user runs it."""

import json
import pathlib

import h5py
import numpy as np
import programs
import pytest
import scipy.io

ROOT = pathlib.Path(__file__).parent.parent
COUNTS = {'train': 40, 'query': 12, 'database': 20}
FILES = {'train': 'train', 'query': 'query', 'database': 'test'}
LABELS = {'query': 'q_label', 'database': 're_label'}
WIDTH = 8
SMALL = (
  '--config=configs/activitynet.py:nph_paper,bits=16',
  f'--config.data.feature_dim={WIDTH}',
  '--config.method_options.memory_width=8',
  '--config.model.hidden_width=8',
  '--config.neighborhood.width=8',
  '--config.neighborhood.num_steps=2',
)


@pytest.fixture(scope='module')
def source(tmp_path_factory):
  """The files of configs/activitynet.py, of fewer and narrower videos."""
  folder = tmp_path_factory.mktemp('activitynet')
  rng = np.random.default_rng(0)
  for split, count in COUNTS.items():
    labels = rng.integers(0, 4, count)
    frames = np.eye(4, WIDTH)[labels][:, None] + rng.random((count, 30, WIDTH))
    with h5py.File(folder / f'{FILES[split]}_feats.h5', 'w') as file:
      file['feats'] = frames.astype(np.float32)
    if split in LABELS:
      key, multi_hot = LABELS[split], np.eye(200, dtype=np.uint8)[labels]
      scipy.io.savemat(folder / f'{key}.mat', {key: multi_hot})
  return folder


@pytest.fixture(scope='module')
def main(source, tmp_path_factory):
  """Runs the main job in one workdir, with further flags."""
  workdir = tmp_path_factory.mktemp('results') / 'run'

  def run(*flags):
    flags = (*SMALL, f'--config.data.source_dir={source}', *flags)
    command = ['-m', 'nph_jax.main', f'--workdir={workdir}', *flags]
    return workdir, programs.run(*command, cwd=programs.ROOT)

  return run


@pytest.fixture(scope='module')
def first(main):
  """The workdir after 2 epochs, and the finished process."""
  workdir, process = main('--config.train.num_epochs=2')
  assert process.returncode == 0, process.stderr
  return workdir, process


def times(workdir):
  files = (path for path in workdir.rglob('*') if path.is_file())
  return {
    path: path.stat().st_mtime_ns
    for path in files
    if path.name != 'config.json'
  }


def test_results_are_of_the_files(first):
  workdir, _ = first
  metrics = json.loads((workdir / 'metrics.json').read_text())
  assert (metrics['dataset'], metrics['seed']) == ('activitynet', 0)
  assert metrics['splits'] == COUNTS
  assert {row['k'] for row in metrics['map']} == {5, 10, 20}  # of 20 videos
  for split in ('query', 'database'):
    codes = np.load(workdir / 'codes' / f'{split}.npy')
    assert (codes.shape, codes.dtype) == ((COUNTS[split], 2), np.uint8)


def test_output_ends_with_table_report_and_next_command(first):
  workdir, process = first
  table, _, rest = process.stdout.rpartition('report: ')
  assert 'mAP@5' in table and 'min(R, K)' in table
  assert rest.startswith(f'{workdir}/report.md')
  assert 'nph_jax.index build ' in rest and ' --bundle=' in rest
  assert 'Traceback' not in process.stderr


def test_second_run_skips_every_stage(first, main):
  workdir, process = first
  before = times(workdir)
  _, again = main('--config.train.num_epochs=2')
  assert again.returncode == 0, again.stderr
  assert again.stdout == process.stdout
  assert times(workdir) == before


def test_more_epochs_continue(first, main):
  workdir, _ = first
  flags = ('--config.train.num_epochs=3', '--stages=prepare,train')
  _, process = main(*flags)
  assert process.returncode == 0, process.stderr
  log = (
    (workdir / 'logs' / 'nph_paper' / 'metrics.jsonl').read_text().splitlines()
  )
  assert [json.loads(line)['step'] for line in log] == [10, 15]
