"""An index of videos by their codes: durable in SQLite, searched by faiss.

`VideoIndex` and `Hit` are the Python interface; `python -m nph_jax.index` is
the shell's.
"""

from __future__ import annotations

import importlib
from typing import Any

# Here, where nothing else is imported: the command line shows them in no time.
ENGINES = ('flat', 'ivf', 'milvus', 'milvus_ivf')
RANKS = ('hamming', 'asymmetric')
_PLACES = {'VideoIndex': 'video_index', 'Hit': 'records'}


def __getattr__(name: str) -> Any:
  if name not in _PLACES:
    raise AttributeError(f'module {__name__} has no attribute {name}')
  return getattr(importlib.import_module(f'{__name__}.{_PLACES[name]}'), name)
