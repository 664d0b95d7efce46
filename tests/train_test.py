"""The trainer: devices, processes, resuming, and stopping on NaN."""

import json
import pathlib
import subprocess
import sys

import numpy as np
import programs
import pytest

WORKER = pathlib.Path(__file__).parent / 'train_worker.py'


def start(out, *arguments):
  command = [sys.executable, WORKER, out, *arguments]
  return subprocess.Popen(
    list(map(str, command)), stderr=subprocess.PIPE, text=True
  )


def finish(process):
  _, stderr = process.communicate()
  assert process.returncode == 0, stderr[-3000:]


def train(out, *arguments):
  finish(start(out, *arguments))
  return dict(np.load(out))


@pytest.fixture(scope='module')
def one_device(tmp_path_factory):
  return train(tmp_path_factory.mktemp('one') / 'one.npz')


def assert_close(result, expected):
  assert result.keys() == expected.keys()
  for name, value in expected.items():
    np.testing.assert_allclose(
      result[name], value, rtol=2e-4, atol=2e-5, err_msg=name
    )
  np.testing.assert_allclose(result['losses'], expected['losses'], rtol=1e-5)


def assert_identical(result, expected):
  assert result.keys() == expected.keys()
  for name, value in expected.items():
    if name != 'losses':
      np.testing.assert_array_equal(result[name], value, err_msg=name)


@pytest.mark.parametrize(
  'devices', [*(pytest.param(n, marks=pytest.mark.slow) for n in (2, 4)), 8]
)
def test_several_devices_equal_one(tmp_path, one_device, devices):
  found = train(tmp_path / 'several.npz', f'--devices={devices}')
  assert_close(found, one_device)


def test_two_processes_that_send_ahead_equal_one(tmp_path, one_device):
  address = programs.free_address()
  out = tmp_path / 'two.npz'
  shared = [f'--coordinator={address}', '--processes=2', '--devices=2']
  shared.append('--ahead')
  both = [start(out, *shared, f'--process={p}') for p in range(2)]
  for process in both:
    finish(process)
  assert_close(dict(np.load(out)), one_device)


def test_sampled_pairs_do_not_depend_on_devices(tmp_path):
  argument = '--pairs=sampled_pairs'
  one = train(tmp_path / 'one.npz', argument)
  four = train(tmp_path / 'four.npz', argument, '--devices=4')
  assert_close(four, one)


def test_resumed_equals_uninterrupted(tmp_path, one_device):
  workdir = f'--workdir={tmp_path / "work"}'
  train(tmp_path / 'half.npz', workdir, '--steps=3')
  assert_identical(train(tmp_path / 'whole.npz', workdir), one_device)
  log = (tmp_path / 'work' / 'logs' / 'metrics.jsonl').read_text()
  steps = [json.loads(line)['step'] for line in log.splitlines()]
  assert [s for s in steps if s] == [1, 2, 3, 4, 5, 6]


def test_checkpoint_of_four_devices_continues_on_one(tmp_path, one_device):
  workdir = f'--workdir={tmp_path / "work"}'
  train(tmp_path / 'half.npz', workdir, '--steps=3', '--devices=4')
  result = train(tmp_path / 'whole.npz', workdir)
  result['losses'] = one_device['losses']
  assert_close(result, one_device)


@pytest.mark.parametrize('frames', ['--resident', '--ahead'])
def test_several_steps_a_call_equal_one_at_a_time(tmp_path, one_device, frames):
  # Of steps 1 to 4 the first three are one call, which logs its last step.
  expected = {**one_device, 'losses': one_device['losses'][2:]}
  # On one device, tests/epochs_test.py has it.
  arguments = ('--steps_per_call=3', '--devices=4', frames)
  assert_close(train(tmp_path / 'four.npz', *arguments), expected)


def test_nan_stops_and_names_step_and_checkpoint(tmp_path):
  workdir = tmp_path / 'work'
  process = start(
    tmp_path / 'out.npz', f'--workdir={workdir}', '--poison_step=5', '--ahead'
  )
  _, stderr = process.communicate()
  assert process.returncode == 1
  sentence = stderr.strip().splitlines()[-1]
  assert sentence.startswith('error: small:') and 'step 5' in sentence
  assert str(workdir / 'checkpoints' / '4') in sentence
  assert not (tmp_path / 'out.npz').exists()
