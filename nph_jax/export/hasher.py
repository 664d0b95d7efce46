"""The exported hasher: frames in, packed codes out; jax and numpy alone."""

from __future__ import annotations

import json
import os
import pathlib
from collections.abc import Mapping
from typing import Any

import jax
import jax.export
import numpy as np

from nph_jax import errors

FORMAT = 1
PROGRAM, PARAMETERS, MANIFEST = (
  'hasher.stablehlo',
  'parameters.npz',
  'manifest.json',
)


class Hasher:
  """Maps frames [B, M, L] to codes, autoencoder, anchors and encoder inside.

  Codes do not depend on how a caller cuts videos into batches: the program
  always runs on blocks of one size, the last one padded, on frames rounded to
  float16 as the data sets store them.

  Attributes:
    num_bits: K.
    num_frames: M.
    feature_dim: L.
    block_size: videos to a block.
    manifest: all that the bundle says of itself.
  """

  def __init__(
    self,
    program: bytes,
    parameters: Mapping[str, np.ndarray],
    manifest: Mapping[str, Any],
  ):
    self.manifest = dict(manifest)
    self.num_bits: int = manifest['num_bits']
    self.num_frames: int = manifest['num_frames']
    self.feature_dim: int = manifest['feature_dim']
    self.block_size: int = manifest['block_size']
    self._parameters = jax.device_put(_nested(parameters))
    self._call = jax.jit(jax.export.deserialize(bytearray(program)).call)

  def encode(self, frames: np.ndarray) -> np.ndarray:
    """Packed codes uint8 [B, K / 8] of frames [B, M, L], any B.

    Bits in numpy.packbits order: the first is the most significant, 1 is +1.

    Raises:
      UserError: another shape, or values that float16 cannot hold.
    """
    return self.encode_relaxed(frames)[0]

  def encode_relaxed(self, frames: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The codes of `encode`, and t float32 [B, K] whose signs they are."""
    frames = self._checked(np.asarray(frames))
    codes = np.empty((len(frames), self.num_bits // 8), np.uint8)
    relaxed = np.empty((len(frames), self.num_bits), np.float32)
    for start in range(0, len(frames), self.block_size):
      block = frames[start : start + self.block_size]
      rows = slice(start, start + len(block))
      codes[rows], relaxed[rows] = self._encode_block(block)
    return codes, relaxed

  def _encode_block(self, block: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    padding = np.zeros(
      (self.block_size - len(block), *block.shape[1:]), block.dtype
    )
    padded = np.concatenate([block, padding]).astype(np.float32)
    outputs = self._call(self._parameters, padded)
    packed = np.asarray(outputs['packed_code'])[: len(block)]
    return packed, np.asarray(outputs['relaxed_code'])[: len(block)]

  def _checked(self, frames: np.ndarray) -> np.ndarray:
    expected = (self.num_frames, self.feature_dim)
    if frames.ndim != 3 or frames.shape[1:] != expected:
      raise errors.UserError(
        f'frames have shape {frames.shape}; this hasher reads (videos, '
        f'{expected[0]}, {expected[1]}).'
      )
    with np.errstate(over='ignore'):
      frames = frames.astype(np.float16)
    bad = ~np.isfinite(frames).all(axis=(1, 2))
    if bad.any():
      raise errors.UserError(
        f'video {int(np.argmax(bad))} of the frames has NaN, infinite or '
        'larger values than float16 holds (65504).'
      )
    return frames


def load_hasher(path: str | os.PathLike[str]) -> Hasher:
  """Loads the bundle in the folder `path`.

  Raises:
    UserError: a file is missing or damaged, or of a later format.
  """
  folder = pathlib.Path(path)
  for name in (MANIFEST, PROGRAM, PARAMETERS):
    if not (folder / name).is_file():
      raise errors.UserError(
        f'{folder / name}: is missing; --bundle has to be the folder export/ '
        'of a trained workdir.'
      )
  try:
    manifest = json.loads((folder / MANIFEST).read_text())
    if manifest['format'] > FORMAT:
      raise errors.UserError(
        f'{folder}: has format {manifest["format"]}, newer than this version '
        f'of nph_jax reads ({FORMAT}); update nph_jax.'
      )
    with np.load(folder / PARAMETERS, allow_pickle=False) as file:
      parameters = dict(file)
    return Hasher((folder / PROGRAM).read_bytes(), parameters, manifest)
  except errors.UserError:
    raise
  except Exception as error:
    raise errors.UserError(
      f'{folder}: the bundle is damaged ({type(error).__name__}); export it '
      'again with --stages=export.'
    ) from error


def _nested(flat: Mapping[str, np.ndarray]) -> dict[str, Any]:
  """A tree of dicts from names such as 'encoder/cell/bias'."""
  tree: dict[str, Any] = {}
  for name, value in flat.items():
    *folders, leaf = name.split('/')
    node = tree
    for folder in folders:
      node = node.setdefault(folder, {})
    node[leaf] = value
  return tree
