"""A set larger than memory allows: prepared and trained in 3 GiB."""

import pathlib
import re
import shutil
import subprocess
import sys
import time

import pytest

from benchmarks import sizes, videos

ROOT = pathlib.Path(__file__).parent.parent
LIMIT = 3 * 2**30
FREE = 12 * 2**30  # 1 GiB of features, 4 of records, and room to spare
VIDEOS, TIMES = 5_000, 4  # one file, named so often: 20,000 videos in all
SECONDS = 1200
SETTING = ('--config.neighborhood.num_steps=2', '--config.train.num_epochs=1')


@pytest.fixture
def command(tmp_path):
  """The main job on 20,000 videos of FCVID's size, without its stages."""
  if shutil.disk_usage(tmp_path).free < FREE:
    pytest.skip(f'fewer than {FREE / 2**30:.0f} GiB free')
  files = videos.sources(tmp_path, VIDEOS, sizes.SIZES['fcvid'])
  files['train']['features'] = ','.join([files['train']['features']] * TIMES)
  yield [
    sys.executable,
    *('-m', 'nph_jax.main'),
    f'--config={ROOT / "configs" / "custom.py"}:nph_paper',
    f'--workdir={tmp_path / "run"}',
    *SETTING,
    *(
      f'--config.data.{split}.{kind}={paths}'
      for split, kinds in files.items()
      for kind, paths in kinds.items()
    ),
  ]
  shutil.rmtree(tmp_path)


def peak_memory(command, log):
  """The most bytes that the process of `command` held, to the last 50 ms."""
  with open(log, 'w') as stderr:
    process = subprocess.Popen(command, stderr=stderr)
  status, peak = pathlib.Path(f'/proc/{process.pid}/status'), 0
  end = time.monotonic() + SECONDS
  try:
    while process.poll() is None and time.monotonic() < end:
      found = re.search(r'^VmHWM:\s+(\d+) kB', status.read_text(), re.M)
      peak = 1024 * int(found[1]) if found else peak
      time.sleep(0.05)
  finally:
    process.kill()
    process.wait()
  assert process.returncode == 0, log.read_text()[-3000:]
  return peak


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != 'linux', reason='/proc tells the memory')
def test_an_epoch_of_20000_videos_stays_under_3_gib(command, tmp_path):
  for stage in ('prepare', 'train'):
    peak = peak_memory([*command, f'--stages={stage}'], tmp_path / 'log')
    assert 0 < peak < LIMIT, f'{stage}: {peak / 2**30:.2f} GiB'
