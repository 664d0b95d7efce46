"""What the numbers were measured on, and with which code."""

from __future__ import annotations

import contextlib
import datetime
import importlib.metadata
import os
import pathlib
import platform
import re
import shutil
import subprocess
from collections.abc import Mapping
from typing import Any

ROOT = pathlib.Path(__file__).parent.parent
# Those that decide the speed of a matrix product.
_FLAGS = ('avx2', 'fma', 'avx512', 'avx_vnni', 'amx', 'asimd', 'sve', 'bf16')
_PACKAGES = (
  'jax', 'jaxlib', 'torch', 'numpy', 'tensorflow-cpu', 'faiss-cpu',
)  # fmt: skip


def describe() -> dict[str, Any]:
  """Processor, memory in bytes, versions, date (UTC) and git commit."""
  info = _cpu_info()
  return {
    'cpu': info.get('model name', platform.processor() or platform.machine()),
    # Processors of one name differ: AMD's Zen 4 and Zen 5 are both AMD EPYC.
    'family': info.get('cpu family'),
    'model': info.get('model'),
    'cores': len(os.sched_getaffinity(0)),
    'instructions': sorted(
      flag
      for flag in info.get('flags', info.get('Features', '')).split()
      if any(part in flag for part in _FLAGS)
    ),
    'memory_bytes': os.sysconf('SC_PAGE_SIZE') * os.sysconf('SC_PHYS_PAGES'),
    'system': platform.platform(),
    'versions': {'python': platform.python_version(), **_versions()},
    'date': datetime.datetime.now(datetime.UTC).isoformat('T', 'minutes'),
    **_git(),
  }


def multiplies_bfloat16() -> bool:
  """Whether the processor does; PyTorch takes minutes a step where not."""
  return any('bf16' in flag for flag in describe()['instructions'])


def folder(about: Mapping[str, Any]) -> str:
  """A name for the folder of what a processor gave, of `describe`."""
  parts = (about['cpu'], about['family'], about['model'])
  name = '-'.join(x for x in parts if x)
  return re.sub('[^a-z0-9]+', '-', name.lower()).strip('-')


def _cpu_info() -> dict[str, str]:
  """The first processor's lines of /proc/cpuinfo."""
  try:
    text = pathlib.Path('/proc/cpuinfo').read_text()
  except OSError:
    return {}
  lines = text.split('\n\n')[0].splitlines()
  pairs = (line.partition(':') for line in lines)
  return {key.strip(): value.strip() for key, _, value in pairs}


def _versions() -> dict[str, str]:
  found = {}
  for name in _PACKAGES:
    with contextlib.suppress(importlib.metadata.PackageNotFoundError):
      found[name] = importlib.metadata.version(name)
  return found


def _git() -> dict[str, Any]:
  """The commit, and whether files that it holds were changed since."""
  if not shutil.which('git'):
    return {'commit': None, 'changed': None}
  commit, status = (
    subprocess.run(['git', *command], cwd=ROOT, capture_output=True, text=True)
    for command in (
      ('rev-parse', 'HEAD'),
      ('status', '--porcelain', '--', '.', ':!benchmarks/results', ':!*.md'),
    )
  )
  if commit.returncode or status.returncode:
    return {'commit': None, 'changed': None}
  return {'commit': commit.stdout.strip(), 'changed': bool(status.stdout)}
