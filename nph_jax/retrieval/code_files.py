"""Packed codes as files: what others hand us, checked."""

from __future__ import annotations

import os

import numpy as np

from nph_jax import errors


def read_codes(path: str) -> np.ndarray:
  """Reads packed codes, (N, P) uint8.

  Raises:
    UserError: the file is missing, is not a whole .npy file of one plain
      array, or the array is not (N, P) uint8 with at least one code.
  """
  if not os.path.isfile(path):
    raise errors.UserError(f'{path}: no such file; expected packed codes.')
  try:
    codes = np.load(path, allow_pickle=False)
  except (ValueError, EOFError, OSError) as error:
    raise errors.UserError(
      f'{path}: {_unreadable(path, error)}; expected packed codes, uint8 of '
      'shape (videos, bits / 8), written by numpy.save.'
    ) from error
  if not isinstance(codes, np.ndarray):
    codes.close()
    raise errors.UserError(
      f'{path}: an archive of several arrays; save the packed codes alone '
      'with numpy.save.'
    )
  if codes.dtype != np.uint8 or codes.ndim != 2 or not codes.size:
    raise errors.UserError(
      f'{path}: {codes.dtype} of shape {codes.shape}; expected packed codes, '
      'uint8 of shape (videos, bits / 8), as numpy.packbits(codes > 0, axis=1) '
      'makes them.'
    )
  return codes


def _unreadable(path: str, error: Exception) -> str:
  if 'Object arrays' in str(error):
    return 'pickled objects, which are never loaded'
  with open(path, 'rb') as file:
    magic = file.read(len(np.lib.format.MAGIC_PREFIX))
  if magic == np.lib.format.MAGIC_PREFIX:
    return 'a truncated or damaged .npy file'
  return 'not a .npy file'
