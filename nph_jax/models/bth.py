"""Bidirectional Transformer Hashing (BTH, Li et al., CVPR 2021).

By NPH's first author, after NPH. The encoder is bidirectional's; each frame has
a code b_t = sgn(W E_t + c) of its own, from which it is rebuilt by a linear
map; a video's relaxed code h is the mean of its frames' codes.

  L = .92 MSE + .08 mean (s - h . h' / K)^2 + .8 (2 |E_mean - n|^2 / D)

the frames rebuilt as they were before they were masked, E_mean the mean over
the frames, n the nearest anchor. Adam at 3e-4, times .9 every 20 epochs.

Other than in the published code: a video's partner, s and h' is drawn from the
batch, not from all videos (so that |E_mean - n|^2, there of both, is twice that
of one here, and the MSE is that of the batch); masking leaves the frames that
are to be rebuilt as they are; y and the anchors are this project's
neighbourhood with a = 5, where BTH trains its own network without the other
losses; a linear map stands between E_mean and n where their widths differ; no
bias of K (transformer.Attention).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from flax import linen as nn

from nph_jax import collectives
from nph_jax.models import bidirectional, hashing, transformer
from nph_jax.models.config import RecurrentConfig, Sizes, make, require
from nph_jax.models.method import Entry, HashingModule, ModuleMethod

OPTIONS = {
  'weights': {'reconstruction': 0.92, 'similarity': 0.08, 'anchor': 0.8},
  'dropout_rate': 0.1,
}
SETTINGS = {
  'train.learning_rate': 3e-4,
  'train.decay_rate': 0.9,
  'train.decay_epochs': 20,
  'train.decay_floor': 1e-4,
  'neighborhood.num_nearest': 5,
  'neighborhood.target_density': 0.05,
}


class Outputs(NamedTuple):
  """What the losses read.

  code of a video [B, K], reconstruction [B, M, L], mean of E [B, H], and what
  is to equal the nearest anchor [B, D].
  """

  code: jax.Array
  reconstruction: jax.Array
  mean: jax.Array
  anchor: jax.Array


class BTH(HashingModule):
  """See the file's docstring.

  Attributes:
    anchor_width: D; H needs no map to it.
    dropout_rate: in the encoder.
    axis_name: devices' axis under pmap.
  """

  anchor_width: int = 0
  dropout_rate: float = 0.1
  axis_name: str | None = None

  def setup(self):
    self.encoder = bidirectional.BidirectionalEncoder(
      self.config.hidden_width,
      self.dropout_rate,
      self.axis_name,
      self.config.precision,
    )
    self.decode_anchor = self._dense(self.anchor_width)
    self.setup_code()

  def _dense(self, width: int) -> nn.Module:
    return transformer.Dense(width, precision=self.config.precision)

  def setup_code(self):
    """Hash layer and decoder."""
    self.hash_layer = hashing.HashLayer(self.num_bits)
    self.decode_frames = self._dense(self.frame_dim)

  def encode(self, frames: jax.Array) -> tuple[jax.Array]:
    """Relaxed code [B, K] of frames [B, M, L]."""
    return (self.relaxed(self.encoder(frames))[0],)

  def relaxed(self, encoded: jax.Array) -> tuple[jax.Array, jax.Array]:
    """Of E [B, M, H] the relaxed code [B, K], and the codes it comes of."""
    window = self.config.sign_window
    signs = hashing.sign_ste(self.hash_layer(encoded), window)
    return signs.mean(axis=1), signs

  def code(self, encoded: jax.Array) -> tuple[jax.Array, jax.Array]:
    """The code for pairs [B, K] and what frames are rebuilt from [B, M, K]."""
    return self.relaxed(encoded)

  def __call__(self, frames: jax.Array, masks: bidirectional.Masks) -> Outputs:
    """Everything that the losses need, in training."""
    encoded = self.encoder(frames, masks, train=True)
    code, read = self.code(encoded)
    mean = encoded.mean(axis=1)
    anchor = mean
    if self.anchor_width != self.config.hidden_width:
      anchor = self.decode_anchor(mean)
    return Outputs(code, self.decode_frames(read), mean, anchor)


class PartnerMethod(ModuleMethod):
  """A module with these outputs, trained on pairs; see method.Method."""

  needs_neighborhood = True

  def init(self, key: jax.Array, tables: Mapping[str, jax.Array]):
    """Parameters of the module, anchors [C, D] being given."""
    masks = bidirectional.draw_masks(key, jnp.zeros(1, int), self.num_frames, 1)
    keys, module = {'params': key, 'dropout': key}, self._module(tables, None)
    return self.init_module(keys, masks, module=module)

  def _module(self, tables, axis_name: str | None) -> nn.Module:
    width = tables['anchors'].shape[1]
    return self.module.clone(anchor_width=width, axis_name=axis_name)

  def loss(self, params, collections, batch, tables, key, axis_name):
    """See the file's docstring; arguments as method.Method."""
    index, frames = batch['index'], batch['frames']
    mask_key, drop_key, pair_key = jax.random.split(key, 3)
    size = len(collectives.gather(index, axis_name))
    masks = bidirectional.draw_masks(mask_key, index, self.num_frames, size)
    outputs, found = self._module(tables, axis_name).apply(
      {'params': params, **collections},
      frames,
      masks,
      rngs={'dropout': drop_key},
      mutable=list(collections),
    )
    partners = bidirectional.draw_partners(
      pair_key, index, tables['anchor_indices'], axis_name
    )
    nearest = tables['anchors'][tables['anchor_indices'][index, 0]]
    terms = self.terms(outputs, frames, partners, nearest, axis_name)
    loss = sum(w * terms[name] for name, w in self.weights.items())
    return loss, (terms, found)

  def terms(
    self,
    outputs: Outputs,
    frames: jax.Array,
    partners: bidirectional.Partners,
    nearest: jax.Array,
    axis_name: str | None,
  ) -> dict[str, jax.Array]:
    """The loss terms by name, for frames [B, M, L] and nearest anchors."""
    return {
      'reconstruction': jnp.mean(jnp.square(outputs.reconstruction - frames)),
      'similarity': bidirectional.pair_loss(outputs.code, partners, axis_name),
      'anchor': 2 * jnp.mean(jnp.square(outputs.anchor - nearest)),
    }


def build(
  sizes: Sizes,
  model: RecurrentConfig,
  options: Mapping[str, Any],
  module: type[BTH] = BTH,
  method: type[PartnerMethod] = PartnerMethod,
) -> PartnerMethod:
  """BTH for the registry, or what differs in module and method."""
  rate = options['dropout_rate']
  require('dropout_rate', rate, lambda v: 0 <= v < 1, 'in [0, 1)')
  made = module(*sizes, model, dropout_rate=rate)
  return make(method, {**options, 'module': made})


ENTRY = Entry('BTH', build, OPTIONS, SETTINGS)
