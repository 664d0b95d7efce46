"""S5VH (Lian et al., AAAI 2025): ConMH with Mamba, and pseudo-labels.

The published code is what is built. The network is masked_autoencoder's with
mamba.Block: six in the encoder, of which the n-th is left out for a video with
chance n / 10 (0 to .5), one in the decoder; and a linear map without bias of a
view's code h to the logits l of C clusters.

  L = MSE_1 + MSE_2 + contrast L_dcl
      + clusters / 2 (CE(l_1 / (K t), Y) + CE(l_2 / (K t), Y)),   t = .5

Y starts as the cluster of each training video: K-means of its mean frame's
first 512 principal components. From epoch 50 on, Y <- .99 Y + .01 softmax(l) of
the whole video before every step. AdamW, one cosine.

Other than there: the logits that change Y come of the same code as all others,
there of one without its normalisation and with drop path; no best checkpoint by
the test set. The hash centres of the paper's text are not here: in the code
they have no effect. At most N / 4 clusters.
"""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Mapping
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from nph_jax import collectives
from nph_jax.data import pooled
from nph_jax.models import (
  dropout,
  linear_code,
  mamba,
  masked_views,
  p2set,
  transformer,
)
from nph_jax.models.config import RecurrentConfig, Sizes, make
from nph_jax.models.conmh import TwoViews
from nph_jax.models.masked_autoencoder import MaskedAutoencoder
from nph_jax.models.method import Entry

NAME = 'pseudo_labels'  # of the collection
_COMPONENTS, _ROUNDS = 512, 17
_TEMPERATURE, _KEPT = 0.5, 0.99
OPTIONS = {
  'mask_ratio': 0.5,
  'weights': {'contrast': 1.0, 'clusters': 0.1},
  'positive_prior': 0.1,  # tau+
  'temperature': 0.5,
  'num_clusters': 450,  # C
  'cluster_warmup': 50,  # epochs before Y moves
  'drop_path': 0.5,  # of the last block
  'num_layers': 6,
  'decoder_width': 192,
  'decoder_layers': 1,
}
SETTINGS = {
  'train.learning_rate': 5e-4,
  'train.weight_decay': 1e-4,
  'train.cosine': True,
  'train.decay_floor': 1e-5,
}


class S5VH(MaskedAutoencoder):
  """See the file's docstring.

  Attributes:
    num_clusters: C; other ones see MaskedAutoencoder.
  """

  num_clusters: int = 1

  def setup(self):
    super().setup()
    self.decode_clusters = transformer.Dense(self.num_clusters, False)

  def logits(self, codes: jax.Array) -> jax.Array:
    """l [..., C] of codes h [..., K]."""
    return self.decode_clusters(codes)

  def __call__(self, frames, views, factors=None):
    """Outputs, and the logits of both views [R, B, C]."""
    outputs = super().__call__(frames, views, factors)
    return outputs, self.logits(outputs.codes)

  def whole(self, frames: jax.Array) -> jax.Array:
    """l [B, C] of whole videos [B, M, L]."""
    return self.logits(self.encode(frames)[0])


@dataclasses.dataclass(frozen=True)
class S5VHMethod(TwoViews):
  """S5VH's module and loss; see method.Method.

  Attributes:
    num_clusters: C, for many videos.
    drop_path: chance that the last block is left out.
    num_layers: blocks of the encoder.
  """

  num_clusters: int = 1
  drop_path: float = 0.0
  num_layers: int = 1

  own = NAME
  has_epochs = True

  def fit_tables(
    self, features: pooled.PooledFeatures, key: jax.Array
  ) -> dict[str, np.ndarray]:
    """The cluster of each training video [N], by its mean frame."""
    count = min(_COMPONENTS, features.dim)
    directions, _ = linear_code.principal_directions(features, count)
    rows = features.project(directions)
    _, own = p2set.clusters_of(rows, self._count(len(rows)), _ROUNDS, key)
    return {'clusters': own}

  def _count(self, num_videos: int) -> int:
    return p2set.num_centres((self.num_clusters,), num_videos)[0]

  def table_shapes(self, num_videos: int) -> dict[str, jax.ShapeDtypeStruct]:
    """See fit_tables."""
    return {'clusters': jax.ShapeDtypeStruct((num_videos,), np.int32)}

  def _module(self, num_clusters: int) -> S5VH:
    return self.module.clone(num_clusters=num_clusters)

  def init(self, key: jax.Array, tables: Mapping[str, jax.Array]):
    """Parameters, and Y [N, C] with whether it moves."""
    count = self._count(len(tables['clusters']))
    table = jax.nn.one_hot(tables['clusters'], count, dtype=np.float32)
    labels = {'table': table, 'moves': jnp.zeros((), bool)}
    return self.init_views(key, self._module(count)), {NAME: labels}

  def run(self, params, stats, frames, views, key, axis_name):
    """Outputs and logits in training, and the module's collections."""
    count = params['decode_clusters']['kernel'].shape[1]
    shape = views.visible.shape[1::-1]
    factors = [
      dropout.mask(jax.random.fold_in(key, layer), shape, rate, axis_name)
      for layer, rate in enumerate(
        np.linspace(0, self.drop_path, self.num_layers)
      )
    ]
    factors = jnp.stack(factors).swapaxes(1, 2).reshape(self.num_layers, -1)
    return self._module(count).apply(
      {'params': params, **stats}, frames, views, factors, mutable=list(stats)
    )

  def more_terms(self, params, found, logits, batch, labels, key, axis_name):
    """The cross entropy with Y, and Y after this step."""
    del key
    table, index = labels['table'], batch['index']
    mine = table[index]
    module = self._module(table.shape[1])
    whole = module.apply(
      {'params': jax.lax.stop_gradient(params), **found},
      batch['frames'],
      method=module.whole,
    )
    moved = _KEPT * mine + (1 - _KEPT) * jax.nn.softmax(whole)
    mine = jnp.where(labels['moves'], moved, mine)
    mine = jax.lax.stop_gradient(mine).astype(table.dtype)
    logs = jax.nn.log_softmax(logits / (self.num_bits * _TEMPERATURE))
    entropy = -jnp.mean(jnp.sum(mine * logs, axis=-1))  # of views, videos
    rows, values = (collectives.gather(x, axis_name) for x in (index, mine))
    table = table.at[rows].set(values)
    return {'clusters': entropy}, {**labels, 'table': table}

  def begin_epoch(self, collections, epoch, survey, key):
    """Whether Y moves by now; see method.Method."""
    del survey, key
    moves = np.asarray(epoch >= self.cluster_warmup)
    labels = {**collections[NAME], 'moves': moves}
    return {**collections, NAME: labels}


def build(
  sizes: Sizes, model: RecurrentConfig, options: Mapping[str, Any]
) -> S5VHMethod:
  """S5VH for the registry; UserError for a ratio that cannot be."""
  masked = masked_views.num_masked(options['mask_ratio'], sizes.num_frames)

  def blocks(length: int):
    return functools.partial(
      transformer.stack, mamba.Block, length, precision=model.precision
    )

  module = S5VH(
    *sizes,
    model,
    blocks(options['num_layers']),
    blocks(options['decoder_layers']),
    options['decoder_width'],
    num_clusters=options['num_clusters'],
  )
  return make(S5VHMethod, {**options, 'module': module, 'masked': masked})


ENTRY = Entry('S5VH', build, OPTIONS, SETTINGS)
