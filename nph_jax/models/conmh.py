"""Contrastive masked hashing (ConMH, Wang et al., AAAI 2023), and AutoSSVH.

The published code is what is built. The network is masked_autoencoder's with
transformer blocks; of two masked views of a video

  L = MSE_1 + MSE_2 + contrast L_dcl  [+ p2set L_p2set]

MSE_r the mean squared error of view r's masked frames, L_dcl the debiased
contrast of the two codes (masked_views). Adam, its learning rate times .9 every
20 epochs. Mask ratio, weights, batch and epochs of a published set are in its
file of configs/.

AutoSSVH (Lian et al., CVPR 2025) is the same with learned places in the decoder
and L_p2set (p2set). Its adversarial choice of frames is not here: the released
loop never reaches it. Nor is the dropout of .2 on ActivityNet's frames.

Other than there: the bias of K, which changes nothing (transformer.Attention);
the checkpoint of the last epoch, not ConMH's sixth from last nor AutoSSVH's
best on the test set.
"""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Mapping
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from flax import linen as nn

from nph_jax.models import masked_views, p2set, transformer
from nph_jax.models.config import RecurrentConfig, Sizes, make, require
from nph_jax.models.masked_autoencoder import MaskedAutoencoder, Outputs
from nph_jax.models.method import Entry, ModuleMethod, without

OPTIONS = {
  'mask_ratio': 0.5,
  'weights': {'contrast': 1.0, 'p2set': 0.0},
  'positive_prior': 0.1,  # tau+
  'temperature': 0.5,
  'clusters': (250, 500, 1000),  # of L_p2set
  'cluster_warmup': 100,  # epochs before L_p2set
  'learned_positions': False,
  'num_layers': 12,
  'num_heads': 6,
  'decoder_width': 192,
  'decoder_layers': 2,
  'decoder_heads': 3,
}
SETTINGS = {
  'train.learning_rate': 1e-4,
  'train.decay_rate': 0.9,
  'train.decay_epochs': 20,
  'train.decay_floor': 1e-5,
}


@dataclasses.dataclass(frozen=True)
class TwoViews(ModuleMethod):
  """A MaskedAutoencoder trained on two views; see method.Method.

  Attributes:
    module: see there.
    weights: of contrast and p2set.
    masked: frames that a view does not show.
    positive_prior: tau+.
    temperature: of the contrast.
    clusters: numbers of centres of L_p2set, for many videos.
    cluster_warmup: epochs without L_p2set.
  """

  masked: int = 1
  positive_prior: float = 0.1
  temperature: float = 0.5
  clusters: tuple[int, ...] = ()
  cluster_warmup: int = 0

  own = p2set.NAME

  @property
  def has_epochs(self) -> bool:
    """Whether there are clusters to be found before each epoch."""
    return self.weights['p2set'] > 0

  def table_shapes(self, num_videos: int) -> dict[str, jax.ShapeDtypeStruct]:
    """For L_p2set the cluster of each video before there are any, [N]."""
    shape = jax.ShapeDtypeStruct((num_videos,), np.int32)
    return {'unassigned': shape} if self.has_epochs else {}

  def init(self, key: jax.Array, tables: Mapping[str, jax.Array]):
    """Parameters, and the clusters of L_p2set where there are any."""
    params = self.init_views(key)
    if not self.has_epochs:
      return params, {}
    return params, {
      p2set.NAME: p2set.init(self.clusters, tables['unassigned'], self.num_bits)
    }

  def init_views(self, key: jax.Array, module: nn.Module | None = None):
    """The parameters of the module, or of another in its place."""
    views = masked_views.draw(
      key, jnp.zeros(1, int), self.num_frames, self.masked
    )
    return self.init_module(key, views, module=module)[0]

  def loss(self, params, collections, batch, tables, key, axis_name):
    """See the file's docstring; arguments as method.Method."""
    del tables
    view_key, cluster_key, drop_key = jax.random.split(key, 3)
    index, frames = batch['index'], batch['frames']
    views = masked_views.draw(view_key, index, self.num_frames, self.masked)
    stats = without(collections, self.own)
    (outputs, logits), found = self.run(
      params, stats, frames, views, drop_key, axis_name
    )
    terms = {
      'reconstruction': masked_error(outputs, frames, views),
      'contrast': masked_views.debiased_contrast(
        *outputs.codes, self.positive_prior, self.temperature, axis_name
      ),
    }
    if self.has_epochs:
      more, own = self.more_terms(
        params, stats, logits, batch, collections[self.own], cluster_key,
        axis_name,
      )  # fmt: skip
      terms, found = {**terms, **more}, {**found, self.own: own}
    loss = terms['reconstruction']
    loss += sum(w * terms[name] for name, w in self.weights.items() if w)
    return loss, (terms, found)

  def run(self, params, stats, frames, views, key, axis_name):
    """The module's Outputs, what more_terms reads, and its collections."""
    del key, axis_name
    outputs, found = self.module.apply(
      {'params': params, **stats}, frames, views, mutable=list(stats)
    )
    return (outputs, outputs.codes), found

  def more_terms(self, params, stats, codes, batch, own, key, axis_name):
    """The terms of the method's own collection, and that after the step.

    Args:
      params: of the module.
      stats: its other collections.
      codes: what `run` hands on, here h of the views.
      batch: see method.Method.
      own: the collection.
      key: of the step, for this.
      axis_name: devices' axis under pmap.
    """
    del params, stats
    loss = p2set.loss(codes, batch['index'], own, key, axis_name)
    return {'p2set': loss}, own

  def survey(self, params, collections, batch, key) -> jax.Array:
    """h [B, K] of all frames, of which clusters are made; see Method."""
    del key
    variables = self.inference_variables(params, collections)
    return self.relaxed_code(variables, batch['frames'], None)

  def begin_epoch(self, collections, epoch, survey, key):
    """New clusters, after the warm-up; see method.Method."""
    if epoch < self.cluster_warmup:
      return collections
    clusters = collections[p2set.NAME]
    clusters = p2set.fit(clusters, survey(), key)
    return {**collections, p2set.NAME: clusters}


def masked_error(
  outputs: Outputs, frames: jax.Array, views: masked_views.Views
) -> jax.Array:
  """MSE_1 + MSE_2 over the masked frames of frames [B, M, L]."""
  targets = masked_views.take(frames, views.masked)
  error = outputs.reconstruction.mean_squared_error(targets)
  return len(views.masked) * error


def build(
  sizes: Sizes, model: RecurrentConfig, options: Mapping[str, Any]
) -> TwoViews:
  """ConMH for the registry; UserError for widths or ratios that cannot be."""
  masked = masked_views.num_masked(options['mask_ratio'], sizes.num_frames)
  for width, heads in (
    (model.hidden_width, options['num_heads']),
    (options['decoder_width'], options['decoder_heads']),
  ):
    require('num_heads', heads, lambda h, w=width: 0 < h <= w, f'1 to {width}')

  def blocks(length, heads):
    return functools.partial(
      transformer.stack,
      transformer.LeanBlock,
      length,
      num_heads=heads,
      precision=model.precision,
    )

  module = MaskedAutoencoder(
    *sizes,
    model,
    blocks(options['num_layers'], options['num_heads']),
    blocks(options['decoder_layers'], options['decoder_heads']),
    options['decoder_width'],
    options['learned_positions'],
  )
  return make(TwoViews, {**options, 'module': module, 'masked': masked})


ENTRY = Entry('ConMH', build, OPTIONS, SETTINGS)
AUTOSSVH = Entry(
  'AutoSSVH',
  build,
  {
    **OPTIONS,
    'weights': {'contrast': 1.0, 'p2set': 0.2},
    'cluster_warmup': 50,
    'learned_positions': True,
  },
  {**SETTINGS, 'train.decay_floor': 1e-6},
)
