"""Frame features from a caller: a `.npy` body, believed in nothing."""

from __future__ import annotations

import io

import numpy as np

from nph_jax.service import problems

_HEADER_BYTES = 1000
_PREFIX_BYTES = 12  # magic, version and the length of the header
_HALF_MAX = float(np.finfo(np.float16).max)


def max_bytes(num_frames: int, feature_dim: int) -> int:
  """Bytes of the largest body that `read_features` takes."""
  return _PREFIX_BYTES + _HEADER_BYTES + 8 * num_frames * feature_dim


def read_features(
  content: bytes, num_frames: int, feature_dim: int
) -> np.ndarray:
  """The features of one video, float16 [M, L].

  The header decides nothing: a shape or a type other than those expected is
  refused before any array is made.

  Args:
    content: what numpy.save writes of [M, L] or [1, M, L], floating point.
    num_frames: M.
    feature_dim: L.

  Raises:
    Problem: status 422, it is anything else, or holds values that are not
      finite in float16.
  """
  expected = f'expected one video, ({num_frames}, {feature_dim}), by numpy.save'
  file, form = io.BytesIO(content), np.lib.format
  try:
    first = form.read_magic(file) == (1, 0)
    read = form.read_array_header_1_0 if first else form.read_array_header_2_0
    shape, by_columns, dtype = read(file, max_header_size=_HEADER_BYTES)
  # The header is a Python literal: a hostile one makes the parser raise
  # SyntaxError, ValueError, RecursionError, MemoryError and more.
  except Exception as error:
    raise _invalid(
      f'not a .npy file of one plain array; {expected}.'
    ) from error
  if shape not in ((num_frames, feature_dim), (1, num_frames, feature_dim)):
    raise _invalid(f'features of shape {str(shape)[:60]}; {expected}.')
  if dtype.kind != 'f' or dtype.itemsize > 8:
    raise _invalid(
      f'features of type {str(dtype)[:60]}; expected float16, float32 or '
      'float64.'
    )
  body = content[file.tell() :]
  if len(body) != num_frames * feature_dim * dtype.itemsize:
    raise _invalid(f'a truncated or damaged .npy file; {expected}.')
  order = 'F' if by_columns else 'C'
  values = np.frombuffer(body, dtype).reshape(shape, order=order)
  with np.errstate(over='ignore', invalid='ignore'):
    half = values.reshape(num_frames, feature_dim).astype(np.float16)
  if not np.isfinite(half).all():
    raise _invalid(
      'features with NaN, infinite or larger values than float16 holds '
      f'({_HALF_MAX:g}); extract that video again.'
    )
  return half


def _invalid(sentence: str) -> problems.Problem:
  return problems.Problem(422, f'The body is {sentence}')
