"""Writing the hasher's bundle: StableHLO, parameters, configuration, README."""

from __future__ import annotations

import dataclasses
import io
import json
import os
import pathlib
import shutil
from collections.abc import Mapping
from typing import Any

import jax
import jax.export
import jax.numpy as jnp
import numpy as np

from nph_jax import atomic, errors, trees
from nph_jax.export import hasher
from nph_jax.models import hashing
from nph_jax.models.method import Method
from nph_jax.neighborhood import anchors as anchors_lib

PLATFORMS = ('cpu', 'cuda')
# Programs of two batch sizes differ by their rounding, in float32 by 5e-7 of
# |t| <= 1 at FCVID's size; beyond forty times that a decision is the same.
_CERTAIN_BEYOND = 2e-5


@dataclasses.dataclass(frozen=True)
class Bundle:
  """A hasher in memory: StableHLO, parameters by path, and what it is."""

  program: bytes
  parameters: dict[str, np.ndarray]
  manifest: dict[str, Any]

  def load(self) -> hasher.Hasher:
    """The hasher that a reader of the written bundle gets."""
    return hasher.Hasher(self.program, self.parameters, self.manifest)


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
    {**_manifest(method, block_size, about), 'certain_beyond': certain},
  )


def _program(
  method: Method,
  neighborhood: Neighborhood | None,
  parameters: Mapping[str, Any],
) -> bytes:
  """(parameters, frames [B, M, L]) -> code and t as StableHLO, B symbolic.

  Frames are float16, as data sets store them: a hasher converts none of its
  own. `finite` [B] says of which videos all values are; `margin` [B] how far
  from its other side the nearest decision is, a bit's or that on an anchor.
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
    margin = jnp.minimum(jnp.abs(code['relaxed_code']).min(axis=1), margin)
    return {'finite': finite, 'margin': margin, **code}

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


def _manifest(
  method: Method, block_size: int, about: Mapping[str, Any]
) -> dict[str, Any]:
  return {
    'format': hasher.FORMAT,
    'jax': jax.__version__,
    'num_bits': method.num_bits,
    'num_frames': method.num_frames,
    'feature_dim': method.frame_dim,
    'block_size': block_size,
    **about,
  }


def write(bundle: Bundle, folder: pathlib.Path) -> None:
  """Writes `bundle` to `folder`, replacing what was there, whole or not at all.

  A folder cannot be renamed onto another: for an instant, between the two
  renames, there is none. A process killed right there leaves the old bundle
  beside its place, as `.NAME.old`, from where the next call takes it back.

  Raises:
    UserError: the disk is full; the old bundle stays.
  """
  new = folder.with_name(f'.{folder.name}.new')
  old = folder.with_name(f'.{folder.name}.old')
  if old.exists() and not folder.exists():
    old.rename(folder)
  for leftover in (new, old):
    shutil.rmtree(leftover, ignore_errors=True)
  try:
    with errors.writing(folder):
      new.mkdir(parents=True)
      for name, content in _files(bundle).items():
        _write_through(new / name, content)
    if folder.exists():
      folder.rename(old)
    new.rename(folder)
    atomic.sync_folder(folder.parent)
  finally:
    shutil.rmtree(new, ignore_errors=True)
  shutil.rmtree(old, ignore_errors=True)


def _files(bundle: Bundle) -> dict[str, bytes]:
  parameters = io.BytesIO()
  np.savez(parameters, **bundle.parameters)
  files = {
    hasher.PROGRAM: bundle.program,
    hasher.PARAMETERS: parameters.getvalue(),
  }
  digests = {name: hasher.digest(content) for name, content in files.items()}
  manifest = json.dumps({**bundle.manifest, 'digests': digests}, indent=2)
  files[hasher.MANIFEST] = f'{manifest}\n'.encode()
  files['README.md'] = _readme(bundle).encode()
  return files


def _write_through(path: pathlib.Path, content: bytes) -> None:
  """Writes a file down to the disk, before a rename makes it the bundle's."""
  with open(path, 'wb') as file:
    file.write(content)
    file.flush()
    os.fsync(file.fileno())


def _readme(bundle: Bundle) -> str:
  m, platforms = bundle.manifest, ' and '.join(PLATFORMS)
  parts = sorted({name.partition('/')[0] for name in bundle.parameters})
  return f"""# Video hasher: {m['method']}, {m['num_bits']} bits, {m['dataset']}

Maps the features of a video's {m['num_frames']} frames, {m['feature_dim']}
values each, to {m['num_bits']} bits. Similar videos get codes that differ in
few of them.

    from nph_jax.export import load_hasher
    codes = load_hasher('this folder').encode(frames)

`frames` is float, (videos, {m['num_frames']}, {m['feature_dim']}); `codes` is
uint8, (videos, {m['num_bits'] // 8}), in numpy.packbits order: the first bit is
the most significant, 1 stands for +1. From the shell:

    python -m nph_jax.encode --bundle=DIR --features=FILE --out=codes.npy

| file | content |
|---|---|
| hasher.stablehlo | program for {platforms}, batch size symbolic |
| parameters.npz | its parameters: {', '.join(parts)} |
| manifest.json | sizes, configuration, training step, digests of these files |

Seed {m['config']['seed']}, {m['step']} training steps.
"""
