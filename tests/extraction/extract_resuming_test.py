"""A run that is killed or interrupted ends as one that is not, bit by bit."""

import os
import shutil
import signal
import subprocess
import time

import pytest
from extract_runs import command, contents, run
from progress import count

from nph_jax import errors, extract


def start(videos, folder, wanted, **options):
  """A run that ends by itself never: its store holds `wanted` videos."""
  store = folder / 'features.partial'
  process = subprocess.Popen(
    command(videos, folder / 'features.h5', '--labels=folders'),
    env={**os.environ, 'HANGS_AT': f'{store},{wanted}'},
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


@pytest.mark.parametrize(
  ('name', 'content'),
  [
    ('.manifest.jsonl', None),
    ('.manifest.jsonl', b'{}\n'),
    ('.skipped.jsonl', None),
    ('.skipped.jsonl', b'{"error": "x"}\n{'),
    ('.skipped.jsonl', b'[1]\n[2]\n'),
    ('.skipped.jsonl', b'\xff\n'),
    ('_labels.mat', None),
    ('_labels.json', None),
  ],
)
def test_what_is_not_whole_beside_a_finished_run_is_named(
  finished, videos, tmp_path, name, content
):
  shutil.copytree(finished[0], tmp_path, dirs_exist_ok=True)
  path = tmp_path / f'features{name}'
  path.write_bytes(content) if content else path.unlink()
  with pytest.raises(errors.UserError) as caught:
    extract.main(
      [
        f'--videos={videos}',
        f'--out={tmp_path / "features.h5"}',
        '--num_frames=3',
        '--batch_size=2',
        '--labels=folders',
        '--precision=float32',
      ]
    )
  assert str(caught.value).startswith(f'{path}: is missing, damaged or not of')


def test_a_finished_run_is_not_repeated(finished, videos):
  folder, first = finished
  before = contents(folder)
  again = run(videos, folder / 'features.h5', '--labels=folders', '--strict')
  assert again.returncode == 1  # since two were skipped
  assert again.stdout == first.stdout
  other = run(videos, folder / 'features.h5')
  assert '--labels was folders and is none now' in other.stderr
  assert contents(folder) == before
