"""Packed codes and t as files: what others hand us, checked."""

from __future__ import annotations

import os

import numpy as np

from nph_jax import errors

# Columns of packed codes that are never all 0 and 1 by chance.
_MANY = 8


def read_codes(path: str) -> np.ndarray:
  """Reads packed codes, (N, P) uint8.

  Raises:
    UserError: the file is missing, is not a whole .npy file of one plain
      array, or the array is not (N, P) uint8 with at least one code.
  """
  codes = _read(path, 'packed codes, uint8 of shape (videos, bits / 8)')
  if codes.dtype != np.uint8 or codes.ndim != 2 or not codes.size:
    raise errors.UserError(
      f'{path}: {codes.dtype} of shape {codes.shape}; expected packed codes, '
      'uint8 of shape (videos, bits / 8), as numpy.packbits(codes > 0, axis=1) '
      'makes them.'
    )
  if codes.shape[1] >= _MANY and codes.max() == 1:
    raise errors.UserError(
      f'{path}: {codes.shape[1]} columns of 0 and 1, so the bits are not '
      'packed; save numpy.packbits(codes, axis=1).'
    )
  return codes


def read_relaxed(path: str, codes: np.ndarray, codes_path: str) -> np.ndarray:
  """Reads t, whose signs packed codes are: (N, 8 P) of a floating type.

  Args:
    path: of t.
    codes: (N, P) uint8.
    codes_path: of `codes`.

  Raises:
    UserError: as for `read_codes`; or t is of another shape than the codes,
      not finite, or of other signs (0 counts as +1).
  """
  relaxed = _read(path, 'the real-valued t, of shape (videos, bits)')
  shape = len(codes), 8 * codes.shape[1]
  if not np.issubdtype(relaxed.dtype, np.floating) or relaxed.shape != shape:
    raise errors.UserError(
      f'{path}: {relaxed.dtype} of shape {relaxed.shape}; expected the '
      f'real-valued t of the codes of {codes_path}, floating-point numbers of '
      f'shape {shape}.'
    )
  finite = np.isfinite(relaxed).all(axis=1)
  if not finite.all():
    raise errors.UserError(
      f'{path}: row {np.argmin(finite)} holds NaN or infinity; expected finite '
      't.'
    )
  agree = (np.packbits(relaxed >= 0, axis=1) == codes).all(axis=1)
  if not agree.all():
    raise errors.UserError(
      f'{path}: the signs of row {np.argmin(agree)} are not the code in that '
      f'row of {codes_path}; expected t of the same videos by the same model, '
      'in the same order (bit 1 where t >= 0).'
    )
  return relaxed


def _read(path: str, expected: str) -> np.ndarray:
  """The one plain array of an .npy file."""
  if not os.path.isfile(path):
    raise errors.UserError(f'{path}: no such file; expected {expected}.')
  try:
    array = np.load(path, allow_pickle=False)
  except (ValueError, EOFError, OSError) as error:
    raise errors.UserError(
      f'{path}: {_unreadable(path, error)}; expected {expected}, written by '
      'numpy.save.'
    ) from error
  if not isinstance(array, np.ndarray):
    array.close()
    raise errors.UserError(
      f'{path}: an archive of several arrays; expected {expected}, saved alone '
      'with numpy.save.'
    )
  return array


def _unreadable(path: str, error: Exception) -> str:
  if 'Object arrays' in str(error):
    return 'pickled objects, which are never loaded'
  with open(path, 'rb') as file:
    magic = file.read(len(np.lib.format.MAGIC_PREFIX))
  if magic == np.lib.format.MAGIC_PREFIX:
    return 'a truncated or damaged .npy file'
  return 'not a .npy file'
