"""JSON that can be written again: as answers, and as metadata of the index."""

from __future__ import annotations

import json
from typing import Any


def loads(text: str | bytes) -> Any:
  """The value of a text of finite numbers and whole characters.

  Raises:
    ValueError: it is none.
  """
  try:
    value = json.loads(text)
    # NaN, and infinity also where it is a number that is too large.
    written = json.dumps(value, ensure_ascii=False, allow_nan=False)
  except RecursionError as error:
    raise ValueError('nested too deeply') from error
  written.encode()  # no half characters
  return value
