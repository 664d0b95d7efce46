"""Writing the hasher's bundle: StableHLO, parameters, configuration, README."""

from __future__ import annotations

import dataclasses
import pathlib
import shutil
import tempfile
from collections.abc import Mapping
from typing import Any

import flax.traverse_util
import jax
import jax.export
import jax.numpy as jnp
import numpy as np

from nph_jax import atomic, errors
from nph_jax.export import hasher
from nph_jax.models import hashing
from nph_jax.neighborhood import anchors as anchors_lib

PLATFORMS = ('cpu', 'cuda')


@dataclasses.dataclass(frozen=True)
class Bundle:
  """A hasher in memory: StableHLO, parameters by path, and what it is."""

  program: bytes
  parameters: dict[str, np.ndarray]
  manifest: dict[str, Any]

  def load(self) -> hasher.Hasher:
    """The hasher that a reader of the written bundle gets."""
    return hasher.Hasher(self.program, self.parameters, self.manifest)


def build(
  method: Any,
  variables: Mapping[str, Any],
  autoencoder: Any,
  autoencoder_params: Mapping[str, Any],
  anchors: jax.Array,
  num_nearest: int,
  block_size: int,
  about: Mapping[str, Any],
) -> Bundle:
  """Exports frames -> y -> nearest anchors -> t -> packed code.

  Args:
    method: see models.method.HashingMethod.
    variables: its inference variables.
    autoencoder: the module that yields y.
    autoencoder_params: its parameters.
    anchors: [C, D].
    num_nearest: A.
    block_size: videos that the hasher encodes at a time.
    about: further entries of the manifest, among them the configuration.
  """
  # Without the decoder's parameters, which hashing has no use for.
  used = {'encoder': autoencoder_params['encoder']}
  parameters = {'autoencoder': used, 'anchors': anchors, 'method': variables}

  def hash_frames(parameters, frames):
    y = autoencoder.apply(
      {'params': parameters['autoencoder']}, frames, method='features'
    )
    centres = parameters['anchors']
    nearest = centres[anchors_lib.nearest_anchors_jnp(y, centres, num_nearest)]
    relaxed = method.relaxed_code(parameters['method'], frames, nearest)
    return {
      'packed_code': hashing.pack_bits(relaxed),
      'relaxed_code': relaxed,
    }

  module = method.module
  shape = jax.export.symbolic_shape(
    f'batch, {module.num_frames}, {module.frame_dim}'
  )
  exported = jax.export.export(jax.jit(hash_frames), platforms=PLATFORMS)(
    jax.tree.map(lambda x: jax.ShapeDtypeStruct(x.shape, x.dtype), parameters),
    jax.ShapeDtypeStruct(shape, jnp.float32),
  )
  flat = flax.traverse_util.flatten_dict(parameters, sep='/')
  manifest = {
    'format': hasher.FORMAT,
    'num_bits': module.num_bits,
    'num_frames': module.num_frames,
    'feature_dim': module.frame_dim,
    'block_size': block_size,
    **about,
  }
  return Bundle(
    bytes(exported.serialize()),
    {name: np.asarray(value) for name, value in flat.items()},
    manifest,
  )


def write(bundle: Bundle, folder: pathlib.Path) -> None:
  """Writes `bundle` to `folder`, replacing what was there, whole or not at all.

  Raises:
    UserError: the disk is full.
  """
  folder.parent.mkdir(parents=True, exist_ok=True)
  temporary = pathlib.Path(
    tempfile.mkdtemp(prefix=f'.{folder.name}.', dir=folder.parent)
  )
  try:
    with errors.writing(folder):
      (temporary / hasher.PROGRAM).write_bytes(bundle.program)
      with open(temporary / hasher.PARAMETERS, 'wb') as file:
        np.savez(file, **bundle.parameters)
      atomic.write_json(temporary / hasher.MANIFEST, bundle.manifest)
      (temporary / 'README.md').write_text(_readme(bundle.manifest))
    temporary.chmod(0o755)
    shutil.rmtree(folder, ignore_errors=True)
    temporary.rename(folder)
  finally:
    shutil.rmtree(temporary, ignore_errors=True)


def _readme(manifest: Mapping[str, Any]) -> str:
  m, platforms = manifest, ' and '.join(PLATFORMS)
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
| parameters.npz | its parameters: autoencoder, anchors, method |
| manifest.json | sizes, configuration, training step |

Trained for {m['step']} steps with seed {m['config']['seed']}.
"""
