"""What a hashing method gives trainer and exporter; the base of most."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any, Protocol

import jax
import jax.numpy as jnp
import numpy as np
from flax import linen as nn

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
  def num_bits(self) -> int:
    """K."""

  @property
  def num_frames(self) -> int:
    """M."""

  @property
  def frame_dim(self) -> int:
    """L."""

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
class ModuleMethod:
  """What all methods share whose parameters are those of one module.

  Attributes:
    module: has num_bits, num_frames and frame_dim; its `encode` returns the
      relaxed code first.
    weights: of the loss terms, by name.
  """

  module: nn.Module
  weights: Mapping[str, float]

  needs_neighborhood = False
  encodes_neighborhood = False
  is_closed_form = False

  @property
  def num_bits(self) -> int:
    """K."""
    return self.module.num_bits

  @property
  def num_frames(self) -> int:
    """M."""
    return self.module.num_frames

  @property
  def frame_dim(self) -> int:
    """L."""
    return self.module.frame_dim

  def fit_tables(
    self, features: pooled.PooledFeatures, key: jax.Array
  ) -> dict[str, np.ndarray]:
    """None."""
    return {}

  def init_module(self, key: jax.Array, *nearest: jax.Array | None):
    """The module's parameters, and its other variables by collection.

    Args:
      key: of the parameters.
      *nearest: what the module reads beside the frames.
    """
    frames = jnp.zeros((1, self.num_frames, self.frame_dim))
    variables = self.module.init(key, frames, *nearest)
    return variables['params'], without(variables, 'params')


def fields_of(cls: type, values: Mapping[str, Any]) -> dict[str, Any]:
  """The entries of `values` that are fields of the dataclass `cls`."""
  names = {field.name for field in dataclasses.fields(cls)}
  return {name: values[name] for name in values if name in names}


def without(collections: Mapping[str, Any], name: str) -> dict[str, Any]:
  """The collections but that of one name."""
  return {k: v for k, v in collections.items() if k != name}
