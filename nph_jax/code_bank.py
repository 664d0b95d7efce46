"""The relaxed code that every training video had when it was last seen.

A collection that some losses carry from step to step, so that a batch meets all
N videos. What a bank holds are constants: no gradient reaches them.
"""

from __future__ import annotations

from collections.abc import Mapping

import jax
import jax.numpy as jnp

from nph_jax import collectives

NAME = 'code_bank'  # of the collection
Bank = Mapping[str, jax.Array]


def init(num_videos: int, num_bits: int) -> Bank:
  """codes [N, K], zero before a video was seen, and seen [N] bool."""
  codes = jnp.zeros((num_videos, num_bits))
  return {'codes': codes, 'seen': jnp.zeros(num_videos, bool)}


def update(
  bank: Bank, index: jax.Array, relaxed: jax.Array, axis_name: str | None
) -> Bank:
  """The bank with the batch of all devices taken in.

  Args:
    bank: before.
    index: this device's videos, their rows in the training split, [B].
    relaxed: their t, [B, K].
    axis_name: devices' axis under pmap.
  """
  index = collectives.gather(index, axis_name)
  relaxed = collectives.gather(jax.lax.stop_gradient(relaxed), axis_name)
  return {
    'codes': bank['codes'].at[index].set(relaxed),
    'seen': bank['seen'].at[index].set(True),
  }
