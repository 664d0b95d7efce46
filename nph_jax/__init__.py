"""Unsupervised video hashing in JAX: NPH (ICCV 2019) and its rivals.

The rooms, in the order of the method: `data` -> `neighborhood` -> `models` ->
`losses` -> `train` -> `retrieval` -> `export`. Imports go that way only.

Dimension letters used in every shape comment and docstring:

  B   batch                        N   videos of a split
  M   frames of a video            Q   queries
  L   frame feature width (l)      C   anchors (n)
  H   LSTM width                   A   nearest anchors of a video (a)
  D   anchor width (d)             K   code length in bits (k)
  Nb  memory width (b)             P   packed code bytes, K / 8

From Python: `fit`, `evaluate`, `load_hasher`, `Index`; `NPH` and `total_loss`
for a training loop of your own. Each is imported at its first use: an exported
hasher loads without flax or tensorflow.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
  from nph_jax.api import evaluate, fit
  from nph_jax.errors import UserError
  from nph_jax.export import Hasher, load_hasher
  from nph_jax.index.video_index import VideoIndex as Index
  from nph_jax.models.nph import NPH
  from nph_jax.models.nph_loss import total_loss

  __version__: str

_PLACES = {
  'fit': 'api',
  'evaluate': 'api',
  'UserError': 'errors',
  'Hasher': 'export',
  'load_hasher': 'export',
  'Index': 'index.video_index',
  'NPH': 'models.nph',
  'total_loss': 'models.nph_loss',
}
__all__ = [
  'NPH',
  'Hasher',
  'Index',
  'UserError',
  'evaluate',
  'fit',
  'load_hasher',
  'total_loss',
]


def __getattr__(name: str) -> Any:
  if name == '__version__':
    from importlib import metadata  # a tenth of a second

    return metadata.version('nph-jax')
  if name not in _PLACES:
    raise AttributeError(f'module {__name__} has no attribute {name}')
  module = importlib.import_module(f'{__name__}.{_PLACES[name]}')
  return getattr(module, 'VideoIndex' if name == 'Index' else name)


def __dir__() -> list[str]:
  return sorted([*globals(), *__all__, '__version__'])
