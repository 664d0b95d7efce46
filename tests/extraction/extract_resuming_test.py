"""A run that is killed or interrupted ends as one that is not, bit by bit."""

import contextlib
import os
import signal
import sqlite3
import subprocess
import time

from extract_runs import command, contents, run


def wait_for_videos(process, path, wanted):
  """Waits until a store holds so many videos, or its run has ended."""
  while process.poll() is None and count(path) < wanted:
    time.sleep(0.01)


def count(path):
  """Looks past the lock of the process that is writing."""
  try:
    address = f'file:{path}?immutable=1'
    with contextlib.closing(sqlite3.connect(address, uri=True)) as database:
      return database.execute('SELECT count(*) FROM files').fetchone()[0]
  except sqlite3.Error:
    return 0


def test_killed_at_any_time_it_ends_the_same(finished, videos, tmp_path):
  expected = contents(finished[0])
  arguments = command(videos, tmp_path / 'features.h5', '--labels=folders')
  for wanted in (1, 3, 7):
    with open(tmp_path.with_name('said'), 'w+') as said:
      process = subprocess.Popen(arguments, stdout=said, stderr=said)
      wait_for_videos(process, tmp_path / 'features.partial', wanted)
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
    process = subprocess.Popen(
      command(videos, tmp_path / 'features.h5', '--labels=folders'),
      stderr=subprocess.PIPE,
      text=True,
      env={**os.environ, 'SECONDS_A_BATCH': '2'},
    )
  finally:
    signal.signal(signal.SIGINT, handler)
  # More than a group: the last one may be seen before it is committed.
  wait_for_videos(process, tmp_path / 'features.partial', 3)
  process.send_signal(signal.SIGINT)
  _, stderr = process.communicate(timeout=60)
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
