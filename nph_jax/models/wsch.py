"""WSCH: two-stage hashing by masks, then clusters and contrast (2025).

As published in code by an anonymous account; no paper was found, and the
numbers of its README are unverified. A frame's LayerNorm is mapped to t (H =
1024); no place is added, order enters by a state space layer alone:

  c, g = W RMSNorm(t);  c = causal convolution of c, two channels by two
  dt, B, C of c (linear); dt = softplus(dt + bias)
  y_t  = sum_{s <= t} (C_t . B_s) exp(sum_{s < r <= t} A dt_r) dt_s c_s + D c_t
  z    = t + W_out (y SiLU(g));   z += attention(LN z)

(SSD, Mamba-2's form: A, D and dt one for each of 16 heads). Then K values of
each frame as ConMH's, and the mean of their signs is h. The decoder reads the
codes and the mask token, in R^K, once for each masked frame, with one attention
layer; since nothing there has a place, it predicts one vector for all masked
frames of a view. L_rec = 1 - mean cosine of it and the masked frames, for each
view, added.

First 100 epochs of L_rec at a mask ratio of .9. Then epochs of two kinds in
turn, both at .6:

  L_rec + clusters (CE_1 + CE_2)   CE of cos(h, centres) / .2, against its own
                                   largest; before it K-means of sgn(h) of two
                                   views of all videos, at .9, centres <- signs
  L_rec + contrast L_dcl           (masked_views)

so 300 rounds of the two are 600 epochs here. Adam, 1e-4 throughout. K-means has
20 rounds and starts at the last centres, at first at random videos (there
k-means++), and no more than a quarter as many centres as codes.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from flax import linen as nn

from nph_jax.models import (
  hashing,
  initializers,
  masked_views,
  p2set,
  transformer,
)
from nph_jax.models.config import RecurrentConfig, Sizes, make, require
from nph_jax.models.conmh import TwoViews
from nph_jax.models.masked_autoencoder import HashNorm, Learned
from nph_jax.models.masked_views import Views, unit
from nph_jax.models.method import (
  Entry,
  HashingModule,
  float_tables,
  without,
)
from nph_jax.models.state_space import StateSpace
from nph_jax.neighborhood import anchors

NAME = 'rounds'  # of the collection
RECONSTRUCTION, CLUSTERS, CONTRAST = range(3)  # kinds of epoch
_ROUNDS = 20
_CLUSTER_TEMPERATURE = 0.2
_HEADS = 4
OPTIONS = {
  'first_ratio': 0.9,
  'mask_ratio': 0.6,
  'weights': {'clusters': 0.02, 'contrast': 1.0},
  'positive_prior': 0.1,  # tau+
  'temperature': 0.5,
  'num_clusters': 800,
  'first_epochs': 100,
}
SETTINGS = {'model.hidden_width': 1024, 'train.learning_rate': 1e-4}


class WSCH(HashingModule):
  """See the file's docstring; H is a multiple of four."""

  def setup(self):
    width = self.config.hidden_width
    self.frame_norm = transformer.layer_norm(1e-5)
    self.embed = self._dense(width, use_bias=False)
    self.state_space = StateSpace(self.config.precision)
    self.attention_norm = transformer.layer_norm(1e-5)
    self.attention = self._attention()
    self.to_bits = self._dense(self.num_bits)
    self.hash_layer = HashNorm()
    self.decode_mask = Learned((self.num_bits,))
    self.decode_code = self._dense(width, use_bias=False)
    self.decode_norm = transformer.layer_norm(1e-5)
    self.decode_attention = self._attention()
    self.decode_frames = self._dense(self.frame_dim)

  def _dense(self, width: int, use_bias: bool = True) -> nn.Module:
    return transformer.Dense(
      width, use_bias, initializers.torch, self.config.precision
    )

  def _attention(self) -> nn.Module:
    return transformer.Attention(
      _HEADS,
      self.config.hidden_width // _HEADS,
      use_bias=False,
      precision=self.config.precision,
      kernel_init=initializers.torch,
    )

  def _signs(self, frames: jax.Array) -> jax.Array:
    """The code of each frame [B, V, K], of those that are visible."""
    z = self.state_space(self.embed(self.frame_norm(frames)))
    z = z + self.attention(self.attention_norm(z))
    t = self.hash_layer(self.to_bits(z))
    return hashing.sign_ste(t, self.config.sign_window)

  def encode(self, frames: jax.Array) -> tuple[jax.Array]:
    """Relaxed code h [B, K] of frames [B, M, L]."""
    return (self._signs(frames).mean(axis=1),)

  def codes(self, frames: jax.Array, views: Views) -> jax.Array:
    """h [R, B, K] of R views."""
    return self._of_views(frames, views)[0]

  def _of_views(self, frames, views) -> tuple[jax.Array, jax.Array]:
    """h [R, B, K], and the codes of the visible frames [R B, V, K]."""
    signs = self._signs(masked_views.take(frames, views.visible))
    return signs.mean(axis=1).reshape(*views.visible.shape[:2], -1), signs

  def __call__(
    self, frames: jax.Array, views: Views
  ) -> tuple[jax.Array, jax.Array]:
    """h [R, B, K], and what is predicted of a view's masked frames [R B, L]."""
    codes, signs = self._of_views(frames, views)
    asked = jnp.broadcast_to(
      self.decode_mask(), (len(signs), views.masked.shape[2], self.num_bits)
    )
    z = self.decode_code(jnp.concatenate([signs, asked], axis=1))
    z = z + self.decode_attention(self.decode_norm(z))
    return codes, self.decode_frames(z[:, -1])


@dataclasses.dataclass(frozen=True)
class WSCHMethod(TwoViews):
  """WSCH's module, loss and rounds; see method.Method.

  Attributes:
    first_masked: frames that a view does not show in the first epochs, nor
      before K-means.
    num_clusters: for many videos.
    first_epochs: of reconstruction alone.
  """

  first_masked: int = 1
  num_clusters: int = 1
  first_epochs: int = 0

  own = NAME
  has_epochs = True

  def table_shapes(self, num_videos: int) -> dict[str, jax.ShapeDtypeStruct]:
    """The centres before there are any, [C, K]."""
    count = p2set.num_centres((self.num_clusters,), 2 * num_videos)[0]
    return float_tables(centres=(count, self.num_bits))

  def init(self, key: jax.Array, tables: Mapping[str, jax.Array]):
    """Parameters, the centres and the kind of the epoch."""
    rounds = {'centres': tables['centres'], 'kind': jnp.zeros((), jnp.int32)}
    return self.init_views(key), {NAME: rounds}

  def loss(self, params, collections, batch, tables, key, axis_name):
    """See the file's docstring; arguments as method.Method."""
    del tables
    rounds, stats = collections[NAME], without(collections, NAME)
    kind = rounds['kind']

    def run(masked: int):
      views = masked_views.draw(key, batch['index'], self.num_frames, masked)
      (codes, prediction), found = self.module.apply(
        {'params': params, **stats}, batch['frames'], views, mutable=list(stats)
      )
      error = cosine_error(prediction, batch['frames'], views)
      return codes, error, _first_frames(found)

    codes, error, found = jax.lax.cond(
      kind == RECONSTRUCTION,
      lambda: run(self.first_masked),
      lambda: run(self.masked),
    )
    terms = {
      'reconstruction': error,
      'clusters': cluster_loss(codes, rounds['centres']),
      'contrast': masked_views.debiased_contrast(
        *codes, self.positive_prior, self.temperature, axis_name
      ),
    }
    for name, number in (('clusters', CLUSTERS), ('contrast', CONTRAST)):
      terms[name] = jnp.where(kind == number, terms[name], 0)
    loss = error + sum(w * terms[name] for name, w in self.weights.items())
    return loss, (terms, {**found, NAME: rounds})

  def survey(self, params, collections, batch, key) -> jax.Array:
    """sgn(h) of two views of each video, [B, 2, K]; see method.Method."""
    views = masked_views.draw(
      key, batch['index'], self.num_frames, self.first_masked
    )
    variables = {'params': params, **without(collections, NAME)}
    codes = self.module.apply(
      variables, batch['frames'], views, method=self.module.codes
    )
    return jnp.where(codes >= 0, 1.0, -1.0).swapaxes(0, 1)

  def begin_epoch(self, collections, epoch, survey, key):
    """The kind of the epoch, and before each of clusters new centres."""
    rounds = collections[NAME]
    done = epoch - self.first_epochs
    if done < 0:
      kind = RECONSTRUCTION
    else:
      kind = CONTRAST if done % 2 else CLUSTERS
    centres = rounds['centres']
    if kind == CLUSTERS:
      codes = survey().reshape(-1, self.num_bits).astype(np.float32)
      means = anchors.fit_anchors(
        codes,
        len(centres),
        num_iterations=_ROUNDS,
        seed=int(jax.random.bits(key, dtype='uint32')),
        start=centres if np.any(centres) else None,
      )
      centres = np.where(means >= 0, 1, -1).astype(np.float32)
    rounds = {'centres': centres, 'kind': np.int32(kind)}
    return {**collections, NAME: rounds}


def _first_frames(found: Mapping[str, Any]) -> Mapping[str, Any]:
  """Of t of each frame (see hashing.begun) the first's: one shape for any V."""
  return jax.tree.map(lambda x: x[:, :1] if x.ndim == 3 else x, found)


def cosine_error(
  prediction: jax.Array, frames: jax.Array, views: Views
) -> jax.Array:
  """1 - mean cosine of prediction [R B, L] and masked frames, views added."""
  targets = unit(masked_views.take(frames, views.masked))
  cosines = jnp.einsum('bl,bml->bm', unit(prediction), targets)
  return len(views.masked) * (1 - cosines.mean())


def cluster_loss(codes: jax.Array, centres: jax.Array) -> jax.Array:
  """CE_1 + CE_2 of codes h [2, B, K] and centres [C, K]."""
  logits = unit(codes) @ unit(centres).T / _CLUSTER_TEMPERATURE
  own = jnp.argmax(logits, axis=-1, keepdims=True)
  right = jnp.take_along_axis(logits, own, axis=-1)[..., 0]
  each = jax.nn.logsumexp(logits, axis=-1) - right
  return len(codes) * each.mean()


def build(
  sizes: Sizes, model: RecurrentConfig, options: Mapping[str, Any]
) -> WSCHMethod:
  """WSCH for the registry; UserError for a ratio or width that cannot be."""
  require(
    'first_epochs', options['first_epochs'], lambda v: v >= 0, 'zero or more'
  )
  masked, first = (
    masked_views.num_masked(options[name], sizes.num_frames)
    for name in ('mask_ratio', 'first_ratio')
  )
  module = WSCH(*sizes, model)
  fields = {'module': module, 'masked': masked, 'first_masked': first}
  return make(WSCHMethod, {**options, **fields})


ENTRY = Entry('WSCH', build, OPTIONS, SETTINGS)
