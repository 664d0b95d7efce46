"""What a hashing method gives the trainer and the exporter."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any, Protocol

import jax
import jax.numpy as jnp
import numpy as np
from flax import linen as nn

from nph_jax import losses, pairs
from nph_jax.data import pooled


class Method(Protocol):
  """A hashing method, as the stages, the trainer and the exporter see it.

  Attributes:
    needs_neighborhood: trains with anchors and nearest anchors. Without it
      none are prepared and `tables` has none.
    encodes_neighborhood: `relaxed_code` reads `nearest`, which is None without
      it; of no matter unless needs_neighborhood.
    is_closed_form: not trained; what `init` returns is final.
    num_bits: K.
    num_frames: M.
    frame_dim: L.
  """

  needs_neighborhood: bool
  encodes_neighborhood: bool
  is_closed_form: bool

  @property
  def num_bits(self) -> int: ...

  @property
  def num_frames(self) -> int: ...

  @property
  def frame_dim(self) -> int: ...

  def fit_tables(
    self, features: pooled.PooledFeatures, key: jax.Array
  ) -> dict[str, np.ndarray]:
    """Tables computed once from the training videos, before `init`.

    Equal for equal features and key; {} for most methods. Their names are
    other than anchors, anchor_indices and frames.
    """

  def init(
    self, key: jax.Array, tables: Mapping[str, jax.Array]
  ) -> tuple[Any, dict[str, Any]]:
    """Parameters and the collections that are not trained; is traced.

    Args:
      key: of the parameters.
      tables: of `fit_tables`; where a neighbourhood is needed, anchors [C, D]
        and anchor_indices [N, A] too.
    """

  def loss(
    self,
    params: Any,
    collections: Mapping[str, Any],
    batch: Mapping[str, jax.Array],
    tables: Mapping[str, jax.Array],
    key: jax.Array,
    axis_name: str | None,
  ) -> tuple[jax.Array, tuple[dict[str, jax.Array], dict[str, Any]]]:
    """The loss on this device's part of the batch, a mean over its videos.

    Args:
      params: as `init`.
      collections: as `init`.
      batch: frames [B, M, L], index [B], the videos' rows in the split.
      tables: see `init`.
      key: the step's key.
      axis_name: devices' axis under pmap.

    Returns:
      The loss, and (each term by name, the updated collections).
    """

  def inference_variables(
    self, params: Any, collections: Mapping[str, Any]
  ) -> dict[str, Any]:
    """What `relaxed_code` needs of a trained state, a tree of dicts."""

  def relaxed_code(
    self,
    variables: Mapping[str, Any],
    frames: jax.Array,
    nearest: jax.Array | None,
  ) -> jax.Array:
    """t [B, K] whose signs, +1 at 0, are the code; exported with B symbolic.

    Args:
      variables: of `inference_variables`.
      frames: [B, M, L].
      nearest: nearest anchors [B, A, D], nearest first, or None.
    """


@dataclasses.dataclass(frozen=True)
class HashingMethod:
  """A module with NPH's outputs, and the weights of its loss terms.

  Attributes:
    module: its `__call__(frames, nearest, train)` returns nph.Outputs, its
      `encode` the relaxed code first; `reads_nearest` says whether codes depend
      on the nearest anchors.
    weights: alpha_1 of L_s, alpha_2 of L_vr, alpha_3 of L_nr (eq. 12), by the
      names similarity, visual, neighborhood. A term of weight 0 is neither
      computed nor logged.
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

  is_closed_form = False

  @property
  def needs_neighborhood(self) -> bool:
    return self.encodes_neighborhood or self.weights['similarity'] > 0

  @property
  def encodes_neighborhood(self) -> bool:
    return self.module.reads_nearest

  @property
  def num_bits(self) -> int:
    return self.module.num_bits

  @property
  def num_frames(self) -> int:
    return self.module.num_frames

  @property
  def frame_dim(self) -> int:
    return self.module.frame_dim

  def fit_tables(
    self, features: pooled.PooledFeatures, key: jax.Array
  ) -> dict[str, np.ndarray]:
    """None."""
    return {}

  def init(self, key: jax.Array, tables: Mapping[str, jax.Array]):
    """Parameters and the other collections, from the neighbourhood's tables.

    Args:
      key: of the parameters.
      tables: anchors [C, D] and anchor_indices [N, A], if there is need.
    """
    frames = jnp.zeros((1, self.num_frames, self.frame_dim))
    nearest = self._nearest(tables, slice(1))
    variables = self.module.init(key, frames, nearest)
    stats = {k: v for k, v in variables.items() if k != 'params'}
    if self.weights['similarity']:
      num_videos = len(tables['anchor_indices'])
      stats.update(pairs.init_bank(self.pairs, num_videos, self.num_bits))
    return variables['params'], stats

  def _nearest(self, tables, rows) -> jax.Array | None:
    """The nearest anchors [B, A, D] of `rows`, where codes depend on them."""
    if not self.encodes_neighborhood:
      return None
    return tables['anchors'][tables['anchor_indices'][rows]]

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
    stats = {k: v for k, v in collections.items() if k != pairs.BANK}
    outputs, stats = self.module.clone(axis_name=axis_name).apply(
      {'params': params, **stats},
      batch['frames'],
      self._nearest(tables, batch['index']),
      train=True,
      rngs={'dropout': dropout_key},
      mutable=list(stats),
    )
    terms = self._reconstruction_terms(outputs, batch['frames'])
    bank = {}
    if self.weights['similarity']:
      pair_loss, bank = pairs.similarity_loss(
        self.pairs,
        outputs.relaxed_code,
        batch['index'],
        tables['anchor_indices'],
        collections,
        pair_key,
        axis_name,
      )
      terms['quantization'] = self._quantization(outputs)
      terms['similarity'] = pair_loss + terms['quantization']  # eq. 15
    loss = sum(w * terms[name] for name, w in self.weights.items() if w)
    return loss, (terms, {**stats, **bank})

  def _quantization(self, outputs) -> jax.Array:
    binary = outputs.binary_code
    if self.quantization_stop_gradient:
      binary = jax.lax.stop_gradient(binary)
    return losses.quantization(binary, outputs.relaxed_code)

  def _reconstruction_terms(self, outputs, frames) -> dict[str, jax.Array]:
    """L_vr and L_nr, those of them that have a weight."""
    terms = {}
    if self.weights['visual']:
      terms['visual'] = losses.visual_reconstruction(
        frames, outputs.reconstruction
      )
    if self.weights['neighborhood']:
      neighborhood = outputs.neighborhood
      if self.neighborhood_stop_gradient:
        neighborhood = jax.lax.stop_gradient(neighborhood)
      terms['neighborhood'] = losses.neighborhood_reconstruction(
        neighborhood, outputs.neighborhood_reconstruction
      )
    return terms

  def inference_variables(self, params, collections) -> dict[str, Any]:
    """What `relaxed_code` needs of a trained state."""
    stats = {k: v for k, v in collections.items() if k != pairs.BANK}
    return {'params': params, **stats}

  def relaxed_code(self, variables, frames, nearest) -> jax.Array:
    """t [B, K] of frames [B, M, L]; nearest anchors [B, A, D] or None."""
    encode = self.module.encode
    return self.module.apply(variables, frames, nearest, method=encode)[0]


def fields_of(cls: type, values: Mapping[str, Any]) -> dict[str, Any]:
  """The entries of `values` that are fields of the dataclass `cls`."""
  names = {field.name for field in dataclasses.fields(cls)}
  return {name: values[name] for name in values if name in names}
