"""Files by name, size and time: changed ones have another stamp."""

from __future__ import annotations

import datetime
import os
from collections.abc import Sequence


def of(paths: Sequence[str]) -> str:
  """Stands for these files in this order, as they are now."""
  return ', '.join(f'{os.path.abspath(x)} ({_version(x)})' for x in paths)


def _version(path: str) -> str:
  stat = os.stat(path)
  changed = datetime.datetime.fromtimestamp(stat.st_mtime, datetime.UTC)
  # The time too: features extracted anew have as many bytes.
  return f'{stat.st_size} bytes of {changed.isoformat()}'
