"""Alternating refinement: y of a run is the relaxed code of an earlier one.

What the paper's conclusion leaves open: anchors and S come from an autoencoder
that knows nothing of hashing. Here a trained hasher's t takes the place of its
y, anchors and S are made from that anew, and a method is trained again; the
run that results may be refined in turn. Any method's run can be the earlier
one.
"""

from __future__ import annotations

import dataclasses
from typing import Any

import jax
from flax import linen as nn

from nph_jax import errors
from nph_jax.export import Hasher, load_hasher
from nph_jax.models.untrained_features import unit_length
from nph_jax.workdir import Workdir


class HasherFeatures(nn.Module):
  """A hasher's t, of length one, as the feature y.

  Its program becomes a part of whatever calls it, an exported one too.

  Attributes:
    digest: of the hasher's bundle, and so of the neighbourhood's key.
    hasher: read from that bundle.
  """

  digest: str
  hasher: Hasher = dataclasses.field(repr=False)

  @property
  def params(self) -> dict[str, Any]:
    """The hasher's parameters, as `features` reads them."""
    return {'encoder': self.hasher.parameters}

  def features(self, frames: jax.Array) -> jax.Array:
    """The feature y [B, K] of frames [B, M, L] that float16 holds."""
    parameters = self.get_variable('params', 'encoder')
    return unit_length(self.hasher.relaxed_code(parameters, frames))


def features_of(run: str, num_frames: int, frame_dim: int) -> HasherFeatures:
  """The features that a finished run's hasher gives.

  Args:
    run: its workdir.
    num_frames: M.
    frame_dim: L.

  Raises:
    UserError: there is no run, its bundle is missing or damaged, or it reads
      frames of another size.
  """
  folder = Workdir(run).export
  if not folder.is_dir():
    raise errors.UserError(
      f'config.neighborhood.run={run}: has no folder export/; name the workdir '
      'of a finished run.'
    )
  hasher = load_hasher(folder)
  expected = num_frames, frame_dim
  found = hasher.num_frames, hasher.feature_dim
  if found != expected:
    raise errors.UserError(
      f'config.neighborhood.run={run}: its hasher reads {found[0]} frames of '
      f'width {found[1]}, but the data have {expected[0]} of width '
      f'{expected[1]}; name a run on frames of that size.'
    )
  return HasherFeatures(hasher.digest, hasher)
