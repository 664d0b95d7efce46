"""The one look of this room's progress bars."""

from __future__ import annotations

import contextlib
import contextvars
import sys
from collections.abc import Iterator
from typing import Any

import tqdm

_SHOWN = contextvars.ContextVar('shown', default=True)


def shown() -> bool:
  """Whether bars are shown here."""
  return _SHOWN.get()


@contextlib.contextmanager
def hidden() -> Iterator[None]:
  """Shows no bar meanwhile."""
  token = _SHOWN.set(False)
  try:
    yield
  finally:
    _SHOWN.reset(token)


def bar(description: str, total: int, unit: str, **kwargs: Any) -> tqdm.tqdm:
  """Returns a bar on stderr; away from a terminal it waits two seconds.

  So a short job leaves nothing in a log file, and a long one a few lines.
  """
  terminal = sys.stderr.isatty()
  return tqdm.tqdm(
    desc=description,
    total=total,
    unit=unit,
    file=sys.stderr,
    delay=0 if terminal else 2,
    mininterval=0.1 if terminal else 10,
    leave=False,
    disable=not shown(),
    **kwargs,
  )
