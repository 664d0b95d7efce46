"""What a process gives up before it reads the files of strangers.

Each is best effort: a system that refuses one, or is not Linux, has the others
still. What a process cannot give up by itself, README.md takes from outside.
"""

from __future__ import annotations

import contextlib
import ctypes
import pathlib
import re
import sys

_NEW_USER, _NEW_NETWORK = 0x10000000, 0x40000000  # of <sched.h>
_NO_NEW_PRIVILEGES = 38  # of <linux/prctl.h>
# Threads that a network may begin late; the limit counts those of all programs.
_ROOM = 64
_CAPABILITIES_3 = 0x20080522  # of <linux/capability.h>


def leave_network() -> bool:
  """Moves this process, of one thread yet, to where there is no network.

  Root may simply do so; others where the system lets them have a name space of
  their own. Returns whether it went.
  """
  if sys.platform != 'linux':
    return False
  libc = ctypes.CDLL(None, use_errno=True)
  return any(
    libc.unshare(flags) == 0
    for flags in (_NEW_NETWORK, _NEW_USER | _NEW_NETWORK)
  )


def limit(more: int) -> None:
  """Allows `more` bytes of memory, and nothing that decoding does not need.

  No files written, few threads begun, no privileges kept or gained, no core
  dumps.
  """
  try:
    import resource
  except ImportError:  # Windows, which has no such limits
    return
  for what in (resource.RLIMIT_CORE, resource.RLIMIT_FSIZE):
    resource.setrlimit(what, (0, 0))
  if sys.platform != 'linux':
    return
  threads = sum(1 for _ in pathlib.Path('/proc').glob('[0-9]*/task/*'))
  with contextlib.suppress(OSError, ValueError):  # fewer are allowed already
    most = threads + _ROOM
    resource.setrlimit(resource.RLIMIT_NPROC, (most, most))
  libc = ctypes.CDLL(None, use_errno=True)
  libc.prctl(_NO_NEW_PRIVILEGES, 1, 0, 0, 0)
  libc.capset(
    (ctypes.c_uint32 * 2)(_CAPABILITIES_3, 0), (ctypes.c_uint32 * 6)()
  )
  # Not the address space, of which libraries reserve far more than they use.
  status = pathlib.Path('/proc/self/status').read_text()
  if found := re.search(r'^VmData:\s+(\d+) kB', status, re.M):
    size = 1024 * int(found[1]) + more
    resource.setrlimit(resource.RLIMIT_DATA, (size, size))
