"""A run that is killed or interrupted ends as one that is not, bit by bit."""

import os
import signal
import subprocess
import time

import programs
from extract_runs import command, contents, run
from progress import count


def start(videos, folder, wanted, **options):
  """A run that ends by itself never: its store holds `wanted` videos."""
  store = folder / 'features.partial'
  process = subprocess.Popen(
    command(videos, folder / 'features.h5', '--labels=folders'),
    env={
      **os.environ,
      'PYTHONPATH': programs.PYTHONPATH,
      'HANGS_AT': f'{store},{wanted}',
    },
    **options,
  )
  while process.poll() is None and count(store) < wanted:
    time.sleep(0.01)
  return process


def test_killed_at_any_time_it_ends_the_same(finished, videos, tmp_path):
  expected = contents(finished[0])
  for wanted in (1, 3, 7):
    with open(tmp_path.with_name('said'), 'w+') as said:
      process = start(videos, tmp_path, wanted, stdout=said, stderr=said)
      process.kill()
      assert process.wait() == -signal.SIGKILL, said.seek(0) or said.read()
  result = run(videos, tmp_path / 'features.h5', '--labels=folders')
  assert result.returncode == 0, result.stderr
  assert contents(tmp_path) == expected


def test_interrupted_it_says_how_to_go_on(finished, videos, tmp_path):
  # A shell's background jobs ignore it, and their children inherit that; what
  # is handled here begins anew in a child.
  handler = signal.signal(signal.SIGINT, signal.default_int_handler)
  try:
    # More than a group: the last one may be seen before it is committed.
    process = start(videos, tmp_path, 3, stderr=subprocess.PIPE, text=True)
  finally:
    signal.signal(signal.SIGINT, handler)
  process.send_signal(signal.SIGINT)
  _, stderr = process.communicate()
  assert process.returncode == 130, stderr
  assert 'the same command continues' in stderr and 'Traceback' not in stderr
  other = run(videos, tmp_path / 'features.h5', '--num_frames=4')
  assert other.returncode == 1
  assert '--num_frames was 3 and is 4 now' in other.stderr
  run(videos, tmp_path / 'features.h5', '--labels=folders')
  assert contents(tmp_path) == contents(finished[0])


def test_a_finished_run_is_not_repeated(finished, videos):
  folder, first = finished
  before = contents(folder)
  again = run(videos, folder / 'features.h5', '--strict')
  assert again.returncode == 1  # since two are bad
  said = first.stdout.replace('8 added', '8 known')
  assert (again.stdout, contents(folder)) == (said, before)
