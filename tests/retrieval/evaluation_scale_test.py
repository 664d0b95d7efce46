"""FCVID's size: 45,600 queries against 45,600 codes, in time and memory."""

import json
import sys

import programs
import pytest

# In a process of its own, whose peak memory is this evaluation's.
SCRIPT = """
import json, re, sys, time
import numpy as np
from nph_jax.retrieval import evaluation

num_videos, num_labels = 45_600, 239
rng = np.random.default_rng(0)
codes = rng.integers(0, 256, (num_videos, 8), dtype=np.uint8)
labels = np.zeros((num_videos, num_labels), np.uint8)
labels[np.arange(num_videos), rng.integers(0, num_labels, num_videos)] = 1
second = rng.choice(num_videos, num_videos // 10, replace=False)
labels[second, rng.integers(0, num_labels, len(second))] = 1
start = time.process_time()
scored = evaluation.evaluate_codes(
  codes, labels, codes, labels, self_rows=np.arange(num_videos)
)
seconds = time.process_time() - start
with open('/proc/self/status') as file:
  peak = int(re.search(r'VmHWM:\\s+(\\d+)', file.read())[1])
json.dump({
  'seconds': seconds, 'gib': peak / 2**20, 'map': scored.map,
  'last': scored.pr_curve[-1],
}, sys.stdout)
"""


@pytest.mark.slow
@pytest.mark.skipif(
  not sys.platform.startswith('linux'), reason='peak memory is read from /proc'
)
def test_fcvid_size_takes_a_minute_of_a_processor_and_two_gib():
  done = programs.run('-c', SCRIPT)
  found = json.loads(done.stdout)
  print(f'{found["seconds"]:.1f} s, {found["gib"]:.2f} GiB')
  assert found['seconds'] < 60
  assert found['gib'] < 2
  assert len(found['map']) == 2 * 4 * 7
  # Random codes: the chance of a shared label, at every K without self.
  chance = found['last']['precision']
  for row in found['map']:
    if row['exclude_self'] and row['denominator'] == 'k' and row['k'] == 5:
      assert 0.2 * chance < row['value'] < chance
  assert found['last']['recall'] == 1
