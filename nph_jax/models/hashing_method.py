"""NPH's losses around a module: the method NPH and its ablations are."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any

import jax
import numpy as np

from nph_jax import code_bank, errors, pairs
from nph_jax.data import pooled
from nph_jax.models import nph_loss
from nph_jax.models.config import Attention, NPHConfig, require
from nph_jax.models.method import ModuleMethod, float_tables, without

_SCALE, _INPUT = 'frame_scale', 'input'  # a table, and its collection
LOSSES = ('similarity', 'visual', 'neighborhood')

# What NPH and its ablations may be told, with the paper's values.
OPTIONS = {
  'memory_width': NPHConfig.memory_width,
  'attention': dataclasses.asdict(Attention()),
  'mlp_layers': NPHConfig.mlp_layers,
  'dropout_rate': NPHConfig.dropout_rate,
  'weights': dict(nph_loss.WEIGHTS),
  'frame_length': 0.0,
  'pairs': 'batch',
  'quantization_stop_gradient': True,
  'neighborhood_stop_gradient': False,
}


@dataclasses.dataclass(frozen=True)
class HashingMethod(ModuleMethod):
  """A module with NPH's outputs, and the weights of its loss terms.

  Attributes:
    module: its `__call__(frames, nearest, train)` returns nph.Outputs;
      `reads_nearest` says whether codes depend on the nearest anchors.
    weights: alpha_1 of L_s, alpha_2 of L_vr, alpha_3 of L_nr (eq. 12), by the
      names similarity, visual, neighborhood. A term of weight 0 is neither
      computed nor logged.
    frame_length: frames are multiplied by one number, so that |v| of the
      training videos has this root mean square; 0 leaves them as they are.
      What eq. 16 counts beside eq. 15, and what a frame counts beside n_i,
      depends on it, and the paper does not tell its own.
    pairs: one of pairs.CHOICES.
    quantization_stop_gradient: see nph_loss.terms.
    neighborhood_stop_gradient: likewise.
  """

  frame_length: float = 0.0
  pairs: str = 'batch'
  quantization_stop_gradient: bool = True
  neighborhood_stop_gradient: bool = False

  is_continuous = True

  def __post_init__(self):
    require(
      'pairs', self.pairs, pairs.CHOICES.__contains__, f'one of {pairs.CHOICES}'
    )
    require('frame_length', self.frame_length, lambda v: v >= 0, 'zero or more')
    for name, weight in self.weights.items():
      require(f'weights.{name}', weight, lambda w: w >= 0, 'zero or more')
    if not any(self.weights.values()):
      raise errors.UserError(
        'config.method_options.weights: no loss is left; give one that the '
        'method has a weight above zero.'
      )

  @property
  def needs_neighborhood(self) -> bool:
    """Whether it trains with anchors; see Method."""
    return self.encodes_neighborhood or self.weights['similarity'] > 0

  @property
  def encodes_neighborhood(self) -> bool:
    """Whether codes depend on the nearest anchors."""
    return self.module.reads_nearest

  def fit_tables(
    self, features: pooled.PooledFeatures, key: jax.Array
  ) -> dict[str, np.ndarray]:
    """What multiplies the frames, if anything does."""
    del key
    if not self.frame_length:
      return {}
    squares = sum(
      np.square(frames, dtype=np.float64).sum()
      for frames in features.read_frames()
    )
    found = np.sqrt(squares / (features.num_videos * self.num_frames))
    return {_SCALE: np.float32(self.frame_length / found if found else 1)}

  def table_shapes(self, num_videos: int) -> dict[str, jax.ShapeDtypeStruct]:
    """See fit_tables."""
    del num_videos
    return float_tables(**{_SCALE: ()}) if self.frame_length else {}

  def init(self, key: jax.Array, tables: Mapping[str, jax.Array]):
    """Parameters and the other collections, from the neighbourhood's tables.

    Args:
      key: of the parameters.
      tables: anchors [C, D] and anchor_indices [N, A], if there is need.
    """
    params, stats = self.init_module(key, self._nearest(tables, slice(1)))
    if self.weights['similarity']:
      num_videos = len(tables['anchor_indices'])
      stats.update(pairs.init_bank(self.pairs, num_videos, self.num_bits))
    if self.frame_length:
      stats[_INPUT] = {_SCALE: tables[_SCALE]}
    return params, stats

  def _scaled(self, frames, collections) -> jax.Array:
    """The frames as the module reads them, [B, M, L]."""
    if not self.frame_length:
      return frames
    return frames * collections[_INPUT][_SCALE]

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
    stats = without(collections, code_bank.NAME)
    frames = self._scaled(batch['frames'], collections)
    outputs, stats = self.module.clone(axis_name=axis_name).apply(
      {'params': params, **stats},
      frames,
      self._nearest(tables, batch['index']),
      train=True,
      rngs={'dropout': dropout_key},
      mutable=list(stats),
    )
    pair_loss, bank = None, {}
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
    terms = nph_loss.terms(
      outputs,
      frames,
      pair_loss,
      self.weights,
      quantization_stop_gradient=self.quantization_stop_gradient,
      neighborhood_stop_gradient=self.neighborhood_stop_gradient,
    )
    return nph_loss.weighted(terms, self.weights), (terms, {**stats, **bank})

  def inference_variables(self, params, collections) -> dict[str, Any]:
    """What `relaxed_code` needs of a trained state."""
    return {'params': params, **without(collections, code_bank.NAME)}

  def relaxed_code(self, variables, frames, nearest) -> jax.Array:
    """t [B, K] of frames [B, M, L]; nearest anchors [B, A, D] or None."""
    frames = self._scaled(frames, variables)
    encode = self.module.encode
    return self.module.apply(variables, frames, nearest, method=encode)[0]
