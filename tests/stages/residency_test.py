"""Where the training frames stay."""

import types

import pytest

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
