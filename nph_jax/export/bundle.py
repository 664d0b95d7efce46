"""Making the hasher's bundle: StableHLO, parameters, configuration."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any

import jax
import jax.export
import jax.numpy as jnp
import numpy as np

from nph_jax import trees
from nph_jax.export.files import FORMAT, PLATFORMS, Bundle, write
from nph_jax.models import hashing
from nph_jax.models.method import Method
from nph_jax.neighborhood import anchors as anchors_lib

__all__ = ['FORMAT', 'Bundle', 'Neighborhood', 'build', 'trace', 'write']
# Programs of two batch sizes differ by their rounding, in float32 by 2.4e-6 of
# a video's largest |t| at most (benchmarks/few_videos.py: NPH and closed forms,
# real videos of 25 x 4096). Beyond forty times that a decision is the same.
_CERTAIN_BEYOND = 1e-4
_TINY = 1e-30


@dataclasses.dataclass(frozen=True)
class Neighborhood:
  """What finds a video's nearest anchors.

  Attributes:
    autoencoder: the module that yields y.
    params: its parameters.
    anchors: [C, D].
    num_nearest: A.
  """

  autoencoder: Any
  params: Mapping[str, Any]
  anchors: jax.Array
  num_nearest: int

  def parameters(self) -> dict[str, Any]:
    """What `nearest` reads: no decoder, which hashing has no use for."""
    used = {'encoder': self.params['encoder']}
    return {'autoencoder': used, 'anchors': self.anchors}

  def nearest(
    self, parameters: Mapping[str, Any], frames: jax.Array
  ) -> tuple[jax.Array, jax.Array]:
    """Nearest anchors [B, A, D] of frames [B, M, L], and their margin [B]."""
    y = self.autoencoder.apply(
      {'params': parameters['autoencoder']}, frames, method='features'
    )
    anchors = parameters['anchors']
    find = (y, anchors, self.num_nearest)
    rows = anchors_lib.nearest_anchors_jnp(*find)
    return anchors[rows], anchors_lib.nearest_margin(*find)


def build(
  method: Method,
  variables: Mapping[str, Any],
  neighborhood: Neighborhood | None,
  block_size: int,
  about: Mapping[str, Any],
  precision: str = 'float32',
) -> Bundle:
  """Exports frames -> y -> nearest anchors -> t -> packed code.

  Args:
    method: whose hasher it is.
    variables: its inference variables.
    neighborhood: None if codes do not depend on it; then frames -> t directly.
    block_size: videos that the hasher encodes at a time.
    about: further entries of the manifest, among them the configuration.
    precision: of the products. bfloat16 rounds too coarsely to be certain of
      what another batch size gives.
  """
  parameters = {'method': variables}
  if neighborhood is not None:
    parameters.update(neighborhood.parameters())
  flat = trees.flatten(parameters, '/')
  is_certain = method.is_continuous and precision == 'float32'
  certain = _CERTAIN_BEYOND if is_certain else None
  return Bundle(
    _program(method, neighborhood, parameters),
    {name: np.asarray(value) for name, value in flat.items()},
    {
      'format': FORMAT,
      'jax': jax.__version__,
      'num_bits': method.num_bits,
      'num_frames': method.num_frames,
      'feature_dim': method.frame_dim,
      'block_size': block_size,
      **about,
      'certain_beyond': certain,
    },
  )


def _program(
  method: Method,
  neighborhood: Neighborhood | None,
  parameters: Mapping[str, Any],
) -> bytes:
  """(parameters, frames [B, M, L]) -> code and t as StableHLO, B symbolic.

  Frames are float16, as data sets store them: a hasher converts none of its
  own. `finite` [B] says of which videos all values are; `margin` [B] how far
  from its other side the nearest decision is, as a part of the largest |t| for
  a bit, of |y| for an anchor.
  """

  def hash_frames(parameters, frames):
    finite = jnp.isfinite(frames).all(axis=(1, 2))
    frames = frames.astype(jnp.float32)
    nearest, margin = (
      neighborhood.nearest(parameters, frames)
      if neighborhood
      else (None, jnp.inf)
    )
    code = _code(method, parameters, frames, nearest)
    size = jnp.abs(code['relaxed_code'])
    bits = size.min(axis=1) / jnp.maximum(size.max(axis=1), _TINY)
    return {'finite': finite, 'margin': jnp.minimum(bits, margin), **code}

  # The default product of a GPU keeps 10 bits of a factor: a database hashed
  # there would not fit queries hashed on a CPU.
  with jax.default_matmul_precision('highest'):
    exported = jax.export.export(jax.jit(hash_frames), platforms=PLATFORMS)(
      jax.tree.map(jax.typeof, parameters), _frames(method, jnp.float16)
    )
  return bytes(exported.serialize())


def _code(
  method: Method,
  parameters: Mapping[str, Any],
  frames: jax.Array,
  nearest: jax.Array | None,
) -> dict[str, jax.Array]:
  relaxed = method.relaxed_code(parameters['method'], frames, nearest)
  return {'packed_code': hashing.pack_bits(relaxed), 'relaxed_code': relaxed}


def _frames(method: Method, dtype: Any) -> jax.ShapeDtypeStruct:
  """Of a batch whose size is left open."""
  shape = f'batch, {method.num_frames}, {method.frame_dim}'
  return jax.ShapeDtypeStruct(jax.export.symbolic_shape(shape), dtype)


def trace(
  method: Method, variables: Mapping[str, Any], nearest: tuple[int, int]
) -> None:
  """Traces what `build` exports, the anchors given; raises what that raises.

  Args:
    method: whose hasher it would be.
    variables: shapes and types of its inference variables.
    nearest: A and D, of a method that reads them.
  """
  frames = _frames(method, jnp.float32)
  shape = (frames.shape[0], *nearest)
  found = jax.eval_shape(
    lambda *args: _code(method, *args),
    {'method': variables},
    frames,
    jax.ShapeDtypeStruct(shape, jnp.float32)
    if method.encodes_neighborhood
    else None,
  )
  expected = (frames.shape[0], method.num_bits)
  if found['relaxed_code'].shape != expected:
    raise ValueError(
      f'its code is {found["relaxed_code"].shape}, not {expected}'
    )
