"""The main job: killed at any moment, and on two hosts."""

import pathlib
import signal
import subprocess
import sys
import time

import numpy as np
import programs
import pytest

SIZES = (
  '--config.data.train.num_videos=64',
  '--config.data.query.num_videos=8',
  '--config.data.database.num_videos=16',
  '--config.data.canvas=10',
  '--config.data.num_frames=4',
  '--config.model.hidden_width=16',
  '--config.method_options.memory_width=16',
  '--config.neighborhood.width=16',
  '--config.neighborhood.num_steps=12',
  '--config.train.num_steps=12',
  '--config.train.batch_size=16',
  '--config.checkpoint.every_steps=2',
)


def start(workdir, *more):
  root = pathlib.Path(__file__).parent.parent
  command = [
    sys.executable,
    '-m',
    'nph_jax.main',
    f'--config={root / "configs" / "moving_digits.py"}:nph_paper',
    f'--workdir={workdir}',
    *SIZES,
    *more,
  ]
  return subprocess.Popen(
    command,
    stdout=subprocess.DEVNULL,
    stderr=subprocess.PIPE,
    text=True,
  )


@pytest.fixture(scope='module')
def undisturbed(tmp_path_factory):
  workdir = tmp_path_factory.mktemp('undisturbed')
  process = start(workdir)
  _, stderr = process.communicate()
  assert process.returncode == 0, stderr[-3000:]
  return workdir


def appears(path, process):
  """Waits until `path` exists or the process ends."""
  while not path.exists() and process.poll() is None:
    time.sleep(0.005)


def test_killed_runs_end_where_an_undisturbed_one_does(undisturbed, tmp_path):
  moments = (
    'data',
    'neighborhood/features/4',
    'checkpoints/6',
    'codes/query.npy',
  )
  for moment in moments:
    process = start(tmp_path)
    appears(tmp_path / moment, process)
    process.send_signal(signal.SIGKILL)
    process.communicate()
  process = start(tmp_path)
  _, stderr = process.communicate()
  assert process.returncode == 0, stderr[-3000:]
  for name in ('query', 'database'):
    expected = np.load(undisturbed / 'codes' / f'{name}.npy')
    found = np.load(tmp_path / 'codes' / f'{name}.npy')
    np.testing.assert_array_equal(found, expected)
  with (
    np.load(undisturbed / 'export' / 'parameters.npz') as expected,
    np.load(tmp_path / 'export' / 'parameters.npz') as found,
  ):
    assert set(found) == set(expected)
    for name in expected:
      np.testing.assert_array_equal(found[name], expected[name], err_msg=name)
  for name in ('metrics.json', 'pr_curve.csv'):
    assert (tmp_path / name).read_bytes() == (undisturbed / name).read_bytes()
  assert not list(tmp_path.rglob('*partial*'))


def test_two_hosts_end_where_one_does(undisturbed, tmp_path):
  address = programs.free_address()
  hosts = [
    start(
      tmp_path,
      f'--coordinator={address}',
      '--num_processes=2',
      f'--process_id={host}',
    )
    for host in range(2)
  ]
  for host in hosts:
    _, stderr = host.communicate()
    assert host.returncode == 0, stderr[-3000:]
  for name in ('query', 'database'):
    expected = np.load(undisturbed / 'codes' / f'{name}.npy')
    found = np.load(tmp_path / 'codes' / f'{name}.npy')
    assert found.shape == expected.shape
    # Sums over two hosts round differently; a bit near zero may turn.
    assert np.unpackbits(found ^ expected).mean() < 0.02
  assert (tmp_path / 'export' / 'manifest.json').is_file()
