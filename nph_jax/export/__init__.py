"""Bundles that hash frames without flax, optax, orbax or tensorflow.

jax is imported with the first hasher: what only asks what a bundle is does not
wait for it.
"""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
  from nph_jax.export.hasher import Hasher, load_hasher

__all__ = ['Hasher', 'load_hasher']


def __getattr__(name: str) -> Any:
  if name not in __all__:
    raise AttributeError(f'module {__name__!r} has no attribute {name!r}')
  from nph_jax.export import hasher

  return getattr(hasher, name)
