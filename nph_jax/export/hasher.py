"""The exported hasher: frames in, packed codes out; jax and numpy alone."""

from __future__ import annotations

import collections
import concurrent.futures
import os
import pathlib
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import jax
import jax.export
import numpy as np

from nph_jax import errors, trees
from nph_jax.export import files

_IN_FLIGHT = 2  # blocks handed over before the first one's codes are read
# Sizes for which the program is compiled besides. Not 1: products of a single
# row are summed in another order, which is ten times as far from a block's.
_FEW = (2, 4, 8)


class Hasher:
  """Maps frames [B, M, L] to codes, autoencoder, anchors and encoder inside.

  Codes do not depend on how a caller cuts videos into batches: the program
  runs on blocks of one size, the last one padded, on frames rounded to float16
  as the data sets store them. A few videos alone are run without padding, and
  again in a block where rounding could have decided a bit.

  Attributes:
    num_bits: K.
    num_frames: M.
    feature_dim: L.
    block_size: videos to a block.
    manifest: all that the bundle says of itself.
    parameters: what the program reads beside the frames, a tree of dicts.
  """

  def __init__(
    self,
    program: bytes,
    parameters: Mapping[str, np.ndarray],
    manifest: Mapping[str, Any],
  ):
    self._program = program
    self.manifest = dict(manifest)
    self.num_bits: int = manifest['num_bits']
    self.num_frames: int = manifest['num_frames']
    self.feature_dim: int = manifest['feature_dim']
    self.block_size: int = manifest['block_size']
    # Stays where it was loaded: a default device is its thread's own.
    device = jax.config.jax_default_device
    self.parameters = jax.device_put(trees.nest(parameters, '/'), device)
    self._call = jax.jit(jax.export.deserialize(bytearray(program)).call)

  @property
  def digest(self) -> str:
    """What tells this bundle's codes from those of another one."""
    return files.bundle_digest(self.manifest)

  def save(self, path: str | os.PathLike[str]) -> None:
    """Writes the bundle that `load_hasher` reads, whole or not at all.

    Args:
      path: of a folder: a new or empty one, or a bundle, which it replaces.

    Raises:
      UserError: something else is there, or the disk is full.
    """
    folder = pathlib.Path(path).absolute()
    if folder.is_dir():
      names = os.listdir(folder)
      other = names and files.MANIFEST not in names
    else:
      other = folder.exists()
    if other:
      raise errors.UserError(
        f'{path}: holds something other than a hasher; give a new folder.'
      )
    parameters = trees.flatten(jax.device_get(self.parameters), '/')
    files.write(files.Bundle(self._program, parameters, self.manifest), folder)

  def encode(self, frames: np.ndarray) -> np.ndarray:
    """Packed codes uint8 [B, K / 8] of frames [B, M, L], any B.

    Bits in numpy.packbits order: the first is the most significant, 1 is +1.

    Raises:
      UserError: another shape, or values that float16 cannot hold.
    """
    return self.encode_query(frames)[0]

  def encode_query(self, frames: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """As `encode_relaxed`, soon for a few videos, their t up to rounding."""
    frames = np.asarray(frames)
    self._check_shape(frames.shape)
    certain = self.manifest.get('certain_beyond')
    if certain is None or not 0 < len(frames) <= _FEW[-1] <= self.block_size:
      return self.encode_relaxed(frames)
    size = next(size for size in _FEW if size >= len(frames))
    outputs = self._start(frames, size)
    found = _finish(0, len(frames), outputs)
    margin = np.asarray(outputs['margin'])[: len(frames)]
    return found if (margin > certain).all() else self.encode_relaxed(frames)

  def encode_relaxed(self, frames: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The codes of `encode`, and t float32 [B, K] whose signs they are."""
    frames = np.asarray(frames)
    self._check_shape(frames.shape)
    codes = np.empty((len(frames), self.num_bits // 8), np.uint8)
    relaxed = np.empty((len(frames), self.num_bits), np.float32)
    starts = range(0, len(frames), self.block_size)
    blocks = (frames[start : start + self.block_size] for start in starts)
    for start, block in zip(starts, self.encode_blocks(blocks), strict=True):
      rows = slice(start, start + self.block_size)
      codes[rows], relaxed[rows] = block
    return codes, relaxed

  def encode_blocks(
    self, blocks: Iterable[np.ndarray]
  ) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """What `encode_relaxed` returns, for each of the blocks [B, M, L], in turn.

    While one is hashed, the next are read and, by threads, handed over.

    Args:
      blocks: of up to block_size videos each; a smaller one costs as much.

    Raises:
      UserError: see encode.
    """
    waiting: collections.deque[tuple[int, int, Any]] = collections.deque()

    def finish_first() -> tuple[np.ndarray, np.ndarray]:
      start, size, outputs = waiting.popleft()
      return _finish(start, size, outputs.result())

    start = 0
    with concurrent.futures.ThreadPoolExecutor(_IN_FLIGHT) as pool:
      for block in blocks:
        outputs = pool.submit(self._start, block, self.block_size)
        waiting.append((start, len(block), outputs))
        start += len(block)
        if len(waiting) > _IN_FLIGHT:
          yield finish_first()
      while waiting:
        yield finish_first()

  def relaxed_code(
    self, parameters: Mapping[str, Any], frames: jax.Array
  ) -> jax.Array:
    """t [B, K], traceable: `parameters` as the attribute, frames unchecked."""
    return self._call(parameters, frames.astype(np.float16))['relaxed_code']

  def _start(self, block: np.ndarray, size: int) -> dict[str, jax.Array]:
    """The program's outputs for `size` videos; they may not be there yet."""
    self._check_shape(block.shape)
    with np.errstate(over='ignore'):
      block = block.astype(np.float16, copy=False)
    missing = size - len(block)
    if missing:
      block = np.pad(block, ((0, missing), (0, 0), (0, 0)))
    outputs = self._call(self.parameters, block)
    for output in outputs.values():
      output.copy_to_host_async()
    return outputs

  def _check_shape(self, shape: tuple[int, ...]) -> None:
    expected = (self.num_frames, self.feature_dim)
    if len(shape) != 3 or shape[1:] != expected:
      raise errors.UserError(
        f'frames have shape {shape}; this hasher reads (videos, '
        f'{expected[0]}, {expected[1]}).'
      )


def _finish(
  start: int, size: int, outputs: Mapping[str, jax.Array]
) -> tuple[np.ndarray, np.ndarray]:
  """Codes and t of a block whose first video is number `start`."""
  finite = np.asarray(outputs['finite'])[:size]
  if not finite.all():
    raise errors.UserError(
      f'video {start + int(np.argmin(finite))} of the frames has NaN, infinite '
      'or larger values than float16 holds (65504).'
    )
  packed, relaxed = outputs['packed_code'], outputs['relaxed_code']
  return np.asarray(packed)[:size], np.asarray(relaxed)[:size]


def load_hasher(path: str | os.PathLike[str]) -> Hasher:
  """Loads the bundle in the folder `path`.

  Raises:
    UserError: a file is missing or damaged, this jax or this version of
      nph_jax is too old for it, or a package is missing that reads it.
  """
  folder = pathlib.Path(path)
  bundle = files.read(folder)
  try:
    return bundle.load()
  except ImportError as error:
    raise errors.UserError(
      f'{folder / files.PROGRAM}: a package that reads it is missing '
      f'({error}); install it with pip.'
    ) from error
  except Exception as error:  # whatever a jax says to another one's program
    raise errors.UserError(
      f'{folder / files.PROGRAM}: was exported by jax {bundle.manifest["jax"]} '
      f'and cannot be read by jax {jax.__version__}; install that version, or '
      'export the bundle again with this one.'
    ) from error
