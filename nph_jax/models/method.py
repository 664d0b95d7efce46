"""What a hashing method gives registry, trainer and exporter."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping
from typing import Any, Protocol

import jax
import jax.numpy as jnp
import numpy as np
from flax import linen as nn

from nph_jax import errors
from nph_jax.data import pooled
from nph_jax.models.config import RecurrentConfig, Sizes


@dataclasses.dataclass(frozen=True)
class Entry:
  """What a method's file gives the registry.

  Attributes:
    title: its name in tables.
    build: takes sizes (config.Sizes), model (the RecurrentConfig that is
      config.model) and options (config.method_options); returns the Method, or
      raises a UserError that says which option is wrong.
    options: its own options with their defaults.
    settings: what it sets otherwise in the rest of the configuration, by dotted
      name.
    can_start: whether it can begin at another method's code (`start`).
  """

  title: str
  build: Callable[..., Method]
  options: Mapping[str, Any] = dataclasses.field(default_factory=dict)
  settings: Mapping[str, Any] = dataclasses.field(default_factory=dict)
  can_start: bool = True


class Method(Protocol):
  """A hashing method, as the stages, the trainer and the exporter see it.

  Attributes:
    needs_neighborhood: trains with anchors and nearest anchors. Without it
      none are prepared and `tables` has none.
    encodes_neighborhood: `relaxed_code` reads `nearest`, which is None without
      it; of no matter unless needs_neighborhood.
    is_closed_form: not trained; what `init` returns is final.
    is_continuous: rounding moves t by no more than rounding, because no sign
      is taken on the way to it; only then is a single video hashed alone.
    has_epochs: `begin_epoch` is called before the first step of every epoch;
      `survey` and `begin_epoch` are of no matter without it.
    num_bits: K.
    num_frames: M.
    frame_dim: L.
  """

  needs_neighborhood: bool
  encodes_neighborhood: bool
  is_closed_form: bool
  is_continuous: bool
  has_epochs: bool
  num_bits: int
  num_frames: int
  frame_dim: int

  def fit_tables(
    self, features: pooled.PooledFeatures, key: jax.Array
  ) -> dict[str, np.ndarray]:
    """Tables computed once from the training videos, before `init`.

    Equal for equal features and key; {} for most methods. Their names are
    other than anchors and anchor_indices.
    """

  def table_shapes(self, num_videos: int) -> dict[str, jax.ShapeDtypeStruct]:
    """Shapes and types of `fit_tables` for N training videos.

    They let a job trace loss and export before anything is fitted. A length
    that only the data tell may be any.
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
      key: the step's key, equal on all devices. A draw for each video has to
        fold in the video's row, or draw for the whole batch and take its part
        (`dropout.mask`), or every device draws the same.
      axis_name: devices' axis under pmap. A term that crosses videos reads
        those of the other devices by `collectives.gather`.

    Returns:
      The loss, and (each term by name, the updated collections).
    """

  def survey(
    self,
    params: Any,
    collections: Mapping[str, Any],
    batch: Mapping[str, jax.Array],
    key: jax.Array,
  ) -> jax.Array:
    """What `begin_epoch` wants to know of each video, [B, ...]; is traced.

    Args:
      params: as `init`.
      collections: as `init`.
      batch: as of `loss`.
      key: of the epoch; a draw folds in the video's row.
    """

  def begin_epoch(
    self,
    collections: dict[str, Any],
    epoch: int,
    survey: Callable[[], np.ndarray],
    key: jax.Array,
  ) -> dict[str, Any]:
    """The collections for an epoch, of the same shapes; outside all traces.

    What it returns may depend on its arguments alone: a training that was cut
    off after the last checkpoint comes by here again.

    Args:
      collections: before it.
      epoch: its number, from 0.
      survey: reads all training videos, and returns what the method's `survey`
        says of them, [N, ...].
      key: of the epoch.
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


class HashingModule(nn.Module):
  """What the modules of most methods share.

  Attributes:
    num_bits: K.
    num_frames: M.
    frame_dim: L.
    config: of the parts; its hidden_width is H.
  """

  num_bits: int
  num_frames: int
  frame_dim: int
  config: RecurrentConfig


# How the names of a module's decoders begin: hashing has no use for them.
DECODER = 'decode_'


@dataclasses.dataclass(frozen=True)
class PooledMethod:
  """What methods share that hash a pooled video, P values of all its frames.

  Attributes:
    num_bits: K.
    num_frames: M.
    frame_dim: L.
  """

  num_bits: int
  num_frames: int
  frame_dim: int

  needs_neighborhood = False
  encodes_neighborhood = False
  is_closed_form = False
  is_continuous = True
  has_epochs = False

  @classmethod
  def build(
    cls, sizes: Sizes, model: RecurrentConfig, options: Mapping[str, Any]
  ) -> PooledMethod:
    """The registry's builder; UserError if K is above P."""
    del model, options
    made = cls(*sizes)
    if made.num_bits > made.pooled_width:
      raise errors.UserError(
        f'config.num_bits is {made.num_bits}, but frames of width '
        f'{made.pooled_width} have no more principal directions than that; ask '
        f'this method for {made.pooled_width // 8 * 8} bits or fewer.'
      )
    return made

  @property
  def pooled_width(self) -> int:
    """P, here that of the mean frame."""
    return self.frame_dim


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
  is_continuous = False
  has_epochs = False
  own = ''  # a collection of the method, which the module does not see

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
    """Zeros: where there are any tables, they are what `init` starts from."""
    shapes = self.table_shapes(features.num_videos)
    return {name: np.zeros(x.shape, x.dtype) for name, x in shapes.items()}

  def table_shapes(self, num_videos: int) -> dict[str, jax.ShapeDtypeStruct]:
    """None."""
    return {}

  def init(self, key: jax.Array, tables: Mapping[str, Any]):
    """The module's parameters, and its other variables by collection."""
    del tables
    return self.init_module(key)

  def init_module(self, key: Any, *more: Any, module: nn.Module | None = None):
    """What `init` returns.

    Args:
      key: of the parameters, or several by their streams' names.
      *more: what the module reads beside the frames.
      module: in place of the method's.
    """
    frames = jnp.zeros((1, self.num_frames, self.frame_dim))
    variables = (module or self.module).init(key, frames, *more)
    return variables['params'], without(variables, 'params')

  def inference_variables(self, params, collections) -> dict[str, Any]:
    """Everything but the decoders and the method's own collection."""
    params = {k: v for k, v in params.items() if not k.startswith(DECODER)}
    return {'params': params, **without(collections, self.own)}

  def relaxed_code(self, variables, frames, nearest) -> jax.Array:
    """t [B, K] of frames [B, M, L]; `nearest` is not read."""
    del nearest
    encode = self.module.encode
    return self.module.apply(variables, frames, method=encode)[0]


def float_tables(**shapes: tuple[int, ...]) -> dict[str, jax.ShapeDtypeStruct]:
  """`table_shapes` of float32 tables."""
  return {
    name: jax.ShapeDtypeStruct(shape, np.float32)
    for name, shape in shapes.items()
  }


def without(collections: Mapping[str, Any], name: str) -> dict[str, Any]:
  """The collections but that of one name."""
  return {k: v for k, v in collections.items() if k != name}
