"""Where the training frames stay: on the devices, in memory, or on disk."""

from __future__ import annotations

import contextlib
import os
import pathlib

import jax

CHOICES = ('auto', 'device', 'host', 'stream')
# Of what there is: parameters, activations and the evaluation want the rest.
_DEVICE_SHARE, _HOST_SHARE = 0.4, 0.3
# A CPU's device memory is the machine's own; sets beyond this are streamed
# there, which costs little and keeps a training in 3 GiB.
_CPU_BYTES = 2**30
# Where Linux tells a container's limit, in its two generations.
_LIMITS = (
  '/sys/fs/cgroup/memory.max',
  '/sys/fs/cgroup/memory/memory.limit_in_bytes',
)


def choose(setting: str, frames_bytes: int) -> str:
  """`setting`, or by size if that is 'auto': 'device', 'host' or 'stream'.

  Args:
    setting: one of CHOICES.
    frames_bytes: of the training frames as stored.
  """
  if setting != 'auto':
    return setting
  device = jax.local_devices()[0]
  if device.platform == 'cpu':
    return 'device' if frames_bytes <= _CPU_BYTES else 'stream'
  memory = (device.memory_stats() or {}).get('bytes_limit', 0)
  if frames_bytes <= _DEVICE_SHARE * memory:
    return 'device'
  return 'host' if frames_bytes <= _HOST_SHARE * _host_memory() else 'stream'


def _host_memory(limits: tuple[str, ...] = _LIMITS) -> int:
  """Of the machine, or what a container may have of it."""
  found = [os.sysconf('SC_PAGE_SIZE') * os.sysconf('SC_PHYS_PAGES')]
  for path in limits:
    with contextlib.suppress(OSError, ValueError):  # not there; 'max'
      found.append(int(pathlib.Path(path).read_text()))
  return min(found)
