"""Bundles that hash frames without flax, optax, orbax or tensorflow."""

from nph_jax.export.hasher import Hasher, load_hasher

__all__ = ['Hasher', 'load_hasher']
