"""What BTH and DKPH share: the encoder, the masks and the pairs.

Bidirectional Transformer Hashing (Li et al., CVPR 2021) reads the frames of a
video, some of them hidden, with one transformer block:

  E = drop(W v + c + place)
  E += drop(attention(LN E));  E += drop(MLP(LN E));  E = drop(E)

one head of width H, dropout in attention and MLP too, the tanh form of GELU; LN
divides by the unbiased standard deviation + 1e-6, and stands inside only.
"""

from __future__ import annotations

from typing import NamedTuple

import jax
import jax.numpy as jnp
from flax import linen as nn

from nph_jax import collectives
from nph_jax.models import transformer
from nph_jax.neighborhood import anchor_graph

_MASKED = 0.15  # of the frames; of those 80 % zero, 10 % another frame
_ZERO, _OTHER = 0.8, 0.1


class UnbiasedNorm(nn.Module):
  """(x - mean) / (unbiased standard deviation + 1e-6), scale and shift."""

  @nn.compact
  def __call__(self, x: jax.Array) -> jax.Array:
    """Of [..., H], as x."""
    scale = self.param('scale', nn.initializers.ones, x.shape[-1:])
    bias = self.param('bias', nn.initializers.zeros, x.shape[-1:])
    centred = x - x.mean(axis=-1, keepdims=True)
    squares = jnp.sum(jnp.square(centred), axis=-1, keepdims=True)
    # Where all are the same the root has no gradient.
    known = squares > 0
    deviation = jnp.sqrt(jnp.where(known, squares, 1) / (x.shape[-1] - 1))
    return scale * centred / (known * deviation + 1e-6) + bias


class Masks(NamedTuple):
  """Of each frame, [B, M]: whether it is zero, or another one, and which.

  video counts in the global batch.
  """

  zero: jax.Array
  other: jax.Array
  video: jax.Array
  frame: jax.Array


def draw_masks(
  key: jax.Array, index: jax.Array, num_frames: int, global_batch: int
) -> Masks:
  """Masks of videos in rows `index` of the training split."""

  def of_one(row: jax.Array) -> Masks:
    masked, kind, video, frame = jax.random.split(
      jax.random.fold_in(key, row), 4
    )
    shape = (num_frames,)
    hidden = jax.random.uniform(masked, shape) < _MASKED
    kind = jax.random.uniform(kind, shape)
    return Masks(
      hidden & (kind < _ZERO),
      hidden & (kind >= _ZERO) & (kind < _ZERO + _OTHER),
      jax.random.randint(video, shape, 0, global_batch),
      jax.random.randint(frame, shape, 0, num_frames),
    )

  return jax.vmap(of_one)(index)


class BidirectionalEncoder(nn.Module):
  """See the file's docstring.

  Attributes:
    width: H.
    dropout_rate: of all dropout.
    axis_name: devices' axis under pmap.
    precision: of the products.
  """

  width: int
  dropout_rate: float
  axis_name: str | None = None
  precision: str = 'float32'

  @nn.compact
  def __call__(
    self, frames: jax.Array, masks: Masks | None = None, train: bool = False
  ) -> jax.Array:
    """E [B, M, H] of frames [B, M, L]."""

    def drop(x):
      rate, axis = self.dropout_rate, self.axis_name
      return transformer.Dropout(rate, axis_name=axis)(x, train)

    def dense(width):
      return transformer.Dense(width, precision=self.precision)

    embed = dense(self.width)
    e = embed(frames)
    if masks is not None:
      e = self._masked(embed, e, masks)
    places = transformer.sine_table(frames.shape[1], self.width)
    e = drop(e + jnp.asarray(places, e.dtype))
    attention = transformer.Attention(
      1,
      self.width,
      dropout_rate=self.dropout_rate,
      axis_name=self.axis_name,
      precision=self.precision,
    )
    e = e + drop(attention(UnbiasedNorm()(e), train))
    inner, outer = dense(transformer.MLP_FACTOR * self.width), dense(self.width)
    hidden = drop(nn.gelu(inner(UnbiasedNorm()(e)), approximate=True))
    return drop(e + drop(outer(hidden)))

  def _masked(self, embed, e: jax.Array, masks: Masks) -> jax.Array:
    """As if the frames had been masked before they were mapped."""
    nothing = jnp.zeros((1, embed.variables['params']['kernel'].shape[0]))
    everyone = collectives.gather(e, self.axis_name)
    e = jnp.where(masks.other[..., None], everyone[masks.video, masks.frame], e)
    return jnp.where(masks.zero[..., None], embed(nothing.astype(e.dtype)), e)


class Partners(NamedTuple):
  """Of each video: its place in the global batch [B], s +-1, and 0 for none."""

  place: jax.Array
  similarity: jax.Array
  weight: jax.Array


def draw_partners(
  key: jax.Array,
  index: jax.Array,
  anchor_indices: jax.Array,
  axis_name: str | None,
) -> Partners:
  """One partner for each video, out of the batch.

  By even chance one that shares one of the a - 2 nearest anchors, s = 1; or
  one at middle distance, which shares one of the a nearest but none of the
  a - 1 nearest, or any that shares none where the batch has no such, s = -1.
  Where one kind is missing the other is taken.

  Args:
    key: equal on all devices; a video's draw depends on its row.
    index: rows in the training split, [B].
    anchor_indices: of all training videos, [N, a], a = 5 in the published code.
    axis_name: devices' axis under pmap.
  """
  everyone = collectives.gather(index, axis_name)
  mine, others = anchor_indices[index], anchor_indices[everyone]
  count = anchor_indices.shape[1]

  def shares(number: int) -> jax.Array:
    number = max(number, 1)
    return (
      anchor_graph.pairwise_similarity(mine[:, :number], others[:, :number]) > 0
    )

  linked, other = shares(count), index[:, None] != everyone
  similar = shares(count - 2) & other
  middle = linked & ~shares(count - 1)
  unlike = jnp.where(middle.any(axis=1, keepdims=True), middle, ~linked)
  draws = jax.vmap(
    lambda row: jax.random.uniform(
      jax.random.fold_in(key, row), (len(everyone) + 1,), minval=1e-6
    )
  )(index)
  wants_similar = (draws[:, -1] < 0.5) | ~unlike.any(axis=1)
  positive = wants_similar & similar.any(axis=1)
  allowed = jnp.where(positive[:, None], similar, unlike)
  return Partners(
    jnp.argmax(draws[:, :-1] * allowed, axis=1),
    jnp.where(positive, 1.0, -1.0),
    allowed.any(axis=1).astype(float),
  )


def pair_loss(
  codes: jax.Array, partners: Partners, axis_name: str | None
) -> jax.Array:
  """Mean of (s - h . h' / K)^2 over the videos with a partner; h [B, K]."""
  theirs = collectives.gather(codes, axis_name)[partners.place]
  estimate = jnp.sum(codes * theirs, axis=1) / codes.shape[1]
  errors = partners.weight * jnp.square(partners.similarity - estimate)
  # Of the global sum of weights, so that the mean over devices is the loss.
  total = collectives.mean(partners.weight.sum(), axis_name)
  return errors.sum() / jnp.maximum(total, 1)
