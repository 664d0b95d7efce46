"""Where the training frames stay."""

import types

import numpy as np
import pytest

from nph_jax.data import input_pipeline, video_features
from nph_jax.stages import residency

GIB = 2**30


@pytest.fixture
def machine(monkeypatch):
  """Sets the device's kind and memory, and the host's memory."""

  def pretend(platform, device=None, host=100 * GIB):
    stats = None if device is None else {'bytes_limit': device}
    found = types.SimpleNamespace(platform=platform, memory_stats=lambda: stats)
    monkeypatch.setattr(residency.jax, 'local_devices', lambda: [found])
    monkeypatch.setattr(residency, '_host_memory', lambda: host)

  return pretend


@pytest.mark.parametrize('setting', ['device', 'host', 'stream'])
def test_what_is_asked_for_holds(setting, machine):
  machine('gpu', 1)
  assert residency.choose(setting, 10 * GIB) == setting


def test_by_size_on_a_cpu(machine):
  machine('cpu')
  assert residency.choose('auto', GIB) == 'device'
  assert residency.choose('auto', GIB + 1) == 'stream'


@pytest.mark.parametrize(
  'frames, chosen', [(30, 'device'), (50, 'stream'), (32.1, 'stream')]
)
def test_by_size_on_a_gpu(machine, frames, chosen):
  machine('gpu', 80 * GIB)
  assert residency.choose('auto', int(frames * GIB)) == chosen


def test_the_host_keeps_what_the_gpu_cannot(machine):
  machine('gpu', 8 * GIB)
  assert residency.choose('auto', 29 * GIB) == 'host'
  machine('gpu')  # one that does not tell
  assert residency.choose('auto', GIB) == 'host'


def test_a_containers_limit_is_the_hosts_memory(tmp_path):
  whole = residency._host_memory(())
  limit = tmp_path / 'memory.max'
  for text, expected in (('max\n', whole), (f'{GIB}\n', GIB)):
    limit.write_text(text)
    assert residency._host_memory((str(limit),)) == expected
  assert residency._host_memory((str(tmp_path / 'none'),)) == whole
  assert whole > GIB


def test_all_three_feed_the_same_videos(tmp_path):
  from nph_jax.data import sources

  values = {'name': 'moving_digits', 'num_frames': 3, 'canvas': 9}
  counts = {'train': 23, 'query': 4, 'database': 5}
  config = {
    **dict.fromkeys(('feature_dim', 'num_labels'), 0),
    **dict.fromkeys(('source_dir', 'published'), ''),
    **values,
    **{k: {'features': '', 'labels': '', 'num_videos': n}
       for k, n in counts.items()},
  }  # fmt: skip
  spec = sources.DataSpec.from_config(config, 0)
  split = video_features.build(spec, tmp_path).split('train')
  kept = input_pipeline.all_frames(split)
  streams = [
    input_pipeline.train_batches(split, 5, seed=3, residency=name)
    for name in ('stream', 'host', 'device')
  ]
  for _ in range(7):  # beyond an epoch
    stream, host, device = map(next, streams)
    np.testing.assert_array_equal(stream['index'], device['index'])
    np.testing.assert_array_equal(host['index'], device['index'])
    np.testing.assert_array_equal(stream['frames'], kept[device['index']])
    np.testing.assert_array_equal(host['frames'], stream['frames'])
