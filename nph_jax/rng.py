"""Named streams of one seed: their keys do not depend on the order of calls."""

from __future__ import annotations

import zlib

import jax


def stream(seed: int, name: str) -> jax.Array:
  """The typed key of the stream `name` of `seed`."""
  return substream(jax.random.key(seed), name)


def substream(key: jax.Array, name: str) -> jax.Array:
  """The key of the stream `name` of another stream's `key`."""
  return jax.random.fold_in(key, zlib.crc32(name.encode()))


def subseed(seed: int, name: str) -> int:
  """A seed for NumPy's generators, of the stream `name` of `seed`."""
  return int(jax.random.bits(stream(seed, name), dtype='uint32'))
