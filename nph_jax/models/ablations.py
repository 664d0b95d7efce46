"""The ablations of section 4.2, as differences from NPH.

All share hash layer, decoder, training and the paper's weights. The
hierarchical form is beyond the paper, and so are Plain and FullCNN with the
batch normalisation that eq. 8 gives NPH's cell: the paper's ablations change
two things at once, as SelfAtt has it and those have none. With it alone Plain
makes up what SelfAtt is ahead of it where videos are few.
"""

from __future__ import annotations

import functools
from collections.abc import Mapping
from typing import Any

import jax
import jax.numpy as jnp

from nph_jax.models.config import NPHConfig, RecurrentConfig, Sizes, make
from nph_jax.models.convolutional_encoder import (
  ConvolutionalEncoder,
  NormalizedConvolutionalEncoder,
)
from nph_jax.models.encoder import (
  Encoder,
  NeighborhoodEncoder,
  SelfAttentionEncoder,
)
from nph_jax.models.hashing_method import LOSSES, OPTIONS, HashingMethod
from nph_jax.models.lstm_encoder import (
  HierarchicalEncoder,
  LSTMEncoder,
  NormalizedLSTMEncoder,
)
from nph_jax.models.method import Entry
from nph_jax.models.nph import NPH, Code, dense


class AblatedNPH(NPH):
  """NPH with parts exchanged or left out.

  Attributes:
    encoder_type: of the frames.
    reconstructs_neighborhood: whether there is an n~ for L_nr; for encoders
      that read n.
    concatenates_nearest: whether the hash layer reads the nearest anchors
      beside the encoded video.
  """

  encoder_type: type[Encoder] = NeighborhoodEncoder
  reconstructs_neighborhood: bool = True
  concatenates_nearest: bool = False

  @property
  def reads_nearest(self) -> bool:
    """Whether codes depend on the nearest anchors."""
    return self.encoder_type.reads_neighborhood or self.concatenates_nearest

  def setup(self):
    width = self.config.memory_width
    if self.encoder_type.reads_neighborhood:
      self.neighborhood = dense(width)
    self.encoder = self.encoder_type(
      self.num_frames, self.config, self.axis_name
    )
    if self.reconstructs_neighborhood:
      self.reconstruct_neighborhood = dense(width)
    self.setup_code()

  def encode(
    self, frames: jax.Array, nearest: jax.Array | None, train: bool = False
  ) -> Code:
    """As NPH; nearest [B, A, D] is None unless `reads_nearest`."""
    neighborhood = None
    if self.reads_nearest:
      nearest = nearest.reshape(nearest.shape[0], -1)
    if self.encoder_type.reads_neighborhood:
      neighborhood = self.neighborhood(nearest)
    encoded = self.encoder(frames, neighborhood, train)
    video = encoded.video
    if self.concatenates_nearest:
      video = jnp.concatenate([video, nearest], axis=-1)
    return Code(self.hash_layer(video), encoded.memory, neighborhood)

  def rebuild_neighborhood(self, memory: jax.Array | None) -> jax.Array | None:
    """n~ [B, Nb] where it is reconstructed, else None."""
    if not self.reconstructs_neighborhood:
      return None
    return self.reconstruct_neighborhood(memory)


def build(
  sizes: Sizes,
  model: RecurrentConfig,
  options: Mapping[str, Any],
  *,
  encoder: type[Encoder] = NeighborhoodEncoder,
  losses: tuple[str, ...] = LOSSES,
  concatenates_nearest: bool = False,
) -> HashingMethod:
  """An ablation for the registry.

  Args:
    sizes: this, model and options: see method.Entry.
    model: see there.
    options: see there.
    encoder: of the frames.
    losses: those of LOSSES that it has; a weight of another one is zero.
    concatenates_nearest: see AblatedNPH.
  """
  weights = {
    name: weight if name in losses else 0.0
    for name, weight in options['weights'].items()
  }
  module = AblatedNPH(
    *sizes,
    make(NPHConfig, {**vars(model), **options}),
    encoder_type=encoder,
    reconstructs_neighborhood=weights['neighborhood'] > 0,
    concatenates_nearest=concatenates_nearest,
  )
  fields = {**options, 'module': module, 'weights': weights}
  return make(HashingMethod, fields)


def _entry(title: str, **differences) -> Entry:
  return Entry(title, functools.partial(build, **differences), OPTIONS)


_VISUAL = ('visual',)
_NO_NEIGHBORHOOD = ('similarity', 'visual')

ENTRIES = {
  'fullcnn': _entry('FullCNN', encoder=ConvolutionalEncoder, losses=_VISUAL),
  'fullcnn_bn': _entry(
    'FullCNN, normalised',
    encoder=NormalizedConvolutionalEncoder,
    losses=_VISUAL,
  ),
  'plain': _entry('Plain', encoder=LSTMEncoder, losses=_VISUAL),
  'plain_bn': _entry(
    'Plain, normalised', encoder=NormalizedLSTMEncoder, losses=_VISUAL
  ),
  'selfatt': _entry('SelfAtt', encoder=SelfAttentionEncoder, losses=_VISUAL),
  'neibatt': _entry('NeibAtt', losses=_VISUAL),
  'selfatt_ls': _entry(
    'SelfAtt+Ls', encoder=SelfAttentionEncoder, losses=_NO_NEIGHBORHOOD
  ),
  'neibcat': _entry(
    'NeibCat',
    encoder=SelfAttentionEncoder,
    losses=_NO_NEIGHBORHOOD,
    concatenates_nearest=True,
  ),
  'nph_minus': _entry('NPH-', losses=_NO_NEIGHBORHOOD),
  'nph_hierarchical': _entry('NPH, hierarchical', encoder=HierarchicalEncoder),
}
