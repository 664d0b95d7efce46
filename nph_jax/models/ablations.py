"""NPH and the ablations of section 4.2, as differences from NPH.

All share hash layer, decoder and training. The hierarchical form is beyond the
paper; it differs from NPH in the same kind of parts.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from nph_jax import errors
from nph_jax.models.convolutional_encoder import ConvolutionalEncoder
from nph_jax.models.encoder import (
  Encoder,
  NeighborhoodEncoder,
  SelfAttentionEncoder,
)
from nph_jax.models.hashing_method import HashingMethod
from nph_jax.models.hierarchical_encoder import HierarchicalEncoder
from nph_jax.models.lstm_encoder import LSTMEncoder
from nph_jax.models.method import fields_of
from nph_jax.models.nph import NPH


class Ablation(NamedTuple):
  """What a method shares with NPH, which is all of it by default.

  encoder; the names of its losses among HashingMethod's weights, whose values
  stay those of the configuration; whether the hash layer reads the nearest
  anchors beside the encoded video.
  """

  encoder: type[Encoder] = NeighborhoodEncoder
  losses: tuple[str, ...] = ('similarity', 'visual', 'neighborhood')
  concatenates_nearest: bool = False


_VISUAL = ('visual',)
_NO_NEIGHBORHOOD = ('similarity', 'visual')

ABLATIONS = {
  'fullcnn': Ablation(ConvolutionalEncoder, _VISUAL),
  'plain': Ablation(LSTMEncoder, _VISUAL),
  'selfatt': Ablation(SelfAttentionEncoder, _VISUAL),
  'neibatt': Ablation(losses=_VISUAL),
  'selfatt_ls': Ablation(SelfAttentionEncoder, _NO_NEIGHBORHOOD),
  'neibcat': Ablation(SelfAttentionEncoder, _NO_NEIGHBORHOOD, True),
  'nph_minus': Ablation(losses=_NO_NEIGHBORHOOD),
  'nph': Ablation(),
  'nph_hierarchical': Ablation(HierarchicalEncoder),
}


def of(ablation: Ablation) -> Callable[..., HashingMethod]:
  """The registry's builder of an ablation.

  It raises a UserError if no loss is left.
  """

  def build(
    *, num_bits: int, num_frames: int, frame_dim: int, model: dict, loss: dict
  ) -> HashingMethod:
    weights = {
      name: weight if name in ablation.losses else 0.0
      for name, weight in loss['weights'].items()
    }
    if not any(weights.values()):
      raise errors.UserError(
        'config.loss.weights: no loss is left; give one of '
        f'{", ".join(ablation.losses)} a weight above zero.'
      )
    module = NPH(
      num_bits,
      num_frames,
      frame_dim,
      encoder_type=ablation.encoder,
      reconstructs_neighborhood=weights['neighborhood'] > 0,
      concatenates_nearest=ablation.concatenates_nearest,
      **fields_of(NPH, model),
    )
    fields = fields_of(HashingMethod, loss)
    return HashingMethod(module, **{**fields, 'weights': weights})

  return build
