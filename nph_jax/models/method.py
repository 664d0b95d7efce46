"""What a trainable hashing method gives the trainer and the exporter."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any

import jax
import jax.numpy as jnp
from flax import linen as nn

from nph_jax import losses, pairs


@dataclasses.dataclass(frozen=True)
class HashingMethod:
  """A module with NPH's outputs, and the weights of its loss terms.

  Attributes:
    module: its `__call__(frames, nearest, train)` returns nph.Outputs, its
      `encode` the relaxed code first.
    weights: alpha_1 of L_s, alpha_2 of L_vr, alpha_3 of L_nr (eq. 12), by the
      names similarity, visual, neighborhood. A term of weight 0 is left out.
    pairs: one of pairs.CHOICES.
    quantization_stop_gradient: b is a constant in |b - t|^2. With the
      straight-through gradient in its place the term would pull at nothing
      inside [-1, 1], where both gradients cancel.
    neighborhood_stop_gradient: n_i is a constant in L_nr; the paper's n_i is
      trained through both sides.
  """

  module: nn.Module
  weights: Mapping[str, float]
  pairs: str = 'batch'
  quantization_stop_gradient: bool = True
  neighborhood_stop_gradient: bool = False

  def init(self, key: jax.Array, tables: Mapping[str, jax.Array]):
    """Parameters and the other collections, from the neighbourhood's tables.

    Args:
      key: of the parameters.
      tables: anchors [C, D] and anchor_indices [N, A].
    """
    frames = jnp.zeros((1, self.module.num_frames, self.module.frame_dim))
    nearest = tables['anchors'][tables['anchor_indices'][:1]]
    variables = self.module.init(key, frames, nearest)
    bank = pairs.init_bank(
      self.pairs, len(tables['anchor_indices']), self.module.num_bits
    )
    stats = {k: v for k, v in variables.items() if k != 'params'}
    return variables['params'], {**stats, **bank}

  def loss(self, params, collections, batch, tables, key, axis_name):
    """L of eq. 12 on this device's part of the batch.

    Args:
      params: of the module.
      collections: its other variables, and the pairs' bank.
      batch: frames [B, M, L], index [B].
      tables: see init.
      key: the step's key.
      axis_name: devices' axis under pmap.

    Returns:
      The loss, and (each term by name, the updated collections).
    """
    dropout_key, pair_key = jax.random.split(key)
    nearest = tables['anchors'][tables['anchor_indices'][batch['index']]]
    stats = {k: v for k, v in collections.items() if k != pairs.BANK}
    outputs, stats = self.module.clone(axis_name=axis_name).apply(
      {'params': params, **stats},
      batch['frames'],
      nearest,
      train=True,
      rngs={'dropout': dropout_key},
      mutable=list(stats),
    )
    pair_loss, bank = pairs.similarity_loss(
      self.pairs,
      outputs.relaxed_code,
      batch['index'],
      tables['anchor_indices'],
      collections,
      pair_key,
      axis_name,
    )
    terms = self._terms(outputs, batch['frames'])
    terms['similarity'] = pair_loss + terms['quantization']  # eq. 15
    loss = sum(self.weights[name] * terms[name] for name in self.weights)
    return loss, (terms, {**stats, **bank})

  def _terms(self, outputs, frames: jax.Array) -> dict[str, jax.Array]:
    binary, neighborhood = outputs.binary_code, outputs.neighborhood
    if self.quantization_stop_gradient:
      binary = jax.lax.stop_gradient(binary)
    if self.neighborhood_stop_gradient:
      neighborhood = jax.lax.stop_gradient(neighborhood)
    return {
      'quantization': losses.quantization(binary, outputs.relaxed_code),
      'visual': losses.visual_reconstruction(frames, outputs.reconstruction),
      'neighborhood': losses.neighborhood_reconstruction(
        neighborhood, outputs.neighborhood_reconstruction
      ),
    }

  def inference_variables(self, params, collections) -> dict[str, Any]:
    """What `relaxed_code` needs of a trained state."""
    stats = {k: v for k, v in collections.items() if k != pairs.BANK}
    return {'params': params, **stats}

  def relaxed_code(self, variables, frames, nearest) -> jax.Array:
    """t [B, K] of frames [B, M, L] with nearest anchors [B, A, D]."""
    encode = self.module.encode
    return self.module.apply(variables, frames, nearest, method=encode)[0]
