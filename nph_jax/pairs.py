"""Which pairs the sum over all N^2 of eq. 15 becomes in a step.

The paper sums over all pairs of training videos and trains on mini-batches; it
does not say how. Three readings:

  batch          all pairs of the global batch (the default),
  memory_bank    the batch against the last seen t of every video (as SSVH),
  sampled_pairs  the batch, each video against one similar and one dissimilar
                 video of that bank (as BTH samples partners).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import jax
import jax.numpy as jnp

from nph_jax import code_bank, collectives, losses
from nph_jax.neighborhood import anchor_graph

CHOICES = ('batch', 'memory_bank', 'sampled_pairs')


def init_bank(
  choice: str, num_videos: int, num_bits: int
) -> dict[str, code_bank.Bank]:
  """The collection that `choice` carries from step to step, {} if none."""
  if choice == 'batch':
    return {}
  return {code_bank.NAME: code_bank.init(num_videos, num_bits)}


def similarity_loss(
  choice: str,
  relaxed: jax.Array,
  index: jax.Array,
  anchor_indices: jax.Array,
  collections: Mapping[str, Any],
  key: jax.Array,
  axis_name: str | None,
) -> tuple[jax.Array, dict[str, Any]]:
  """The pair term of L_s for this device's videos, and the updated bank.

  Args:
    choice: one of CHOICES.
    relaxed: t, [B, K].
    index: the videos' rows in the training split, [B].
    anchor_indices: of all training videos, [N, A].
    collections: what init_bank returned, or an earlier call.
    key: the step's key for sampling.
    axis_name: devices' axis under pmap.
  """
  mine = anchor_indices[index]
  if choice == 'batch':
    others = collectives.gather(index, axis_name)
    similarity = anchor_graph.pairwise_similarity(mine, anchor_indices[others])
    all_relaxed = collectives.gather(relaxed, axis_name)
    loss = losses.neighborhood_similarity(relaxed, all_relaxed, similarity)
    return loss, {}
  bank = collections[code_bank.NAME]
  bank = code_bank.update(bank, index, relaxed, axis_name)
  similarity = anchor_graph.pairwise_similarity(mine, anchor_indices)
  weights = jnp.broadcast_to(bank['seen'], similarity.shape).astype(float)
  if choice == 'sampled_pairs':
    weights = _one_of_each(key, similarity, weights, index)
  estimate = relaxed @ bank['codes'].T / relaxed.shape[-1]
  errors = weights * jnp.square(similarity - estimate)
  # Of the global sum of weights, so that the mean over devices is the loss.
  total = collectives.mean(weights.sum(), axis_name)
  return errors.sum() / total, {code_bank.NAME: bank}


def _one_of_each(
  key: jax.Array, similarity: jax.Array, seen: jax.Array, index: jax.Array
) -> jax.Array:
  """1 at one similar and one dissimilar seen partner of each row, [B, N].

  A row's draw depends on its video alone, not on its place among devices.
  """
  draw = jax.vmap(
    lambda row: jax.random.uniform(
      jax.random.fold_in(key, row), (similarity.shape[1],)
    )
  )(index)
  others = seen.at[jnp.arange(len(index)), index].set(0)
  chosen = 0
  for sign in (1, -1):
    allowed = others * (similarity == sign)
    best = jnp.argmax(draw * allowed, axis=1)
    one_hot = jax.nn.one_hot(best, similarity.shape[1])
    chosen = chosen + one_hot * allowed.any(axis=1, keepdims=True)
  return chosen
