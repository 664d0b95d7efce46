"""`.npy` bodies: what is taken, and that nothing else is believed."""

from __future__ import annotations

import io

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nph_jax.service import npy, problems

SHAPE = (3, 5)
VALUES = np.random.default_rng(0).standard_normal(SHAPE).astype(np.float16)


def body(array, **options):
  file = io.BytesIO()
  np.save(file, array, **options)
  return file.getvalue()


def refusal(content):
  with pytest.raises(problems.Problem) as caught:
    npy.read_features(content, *SHAPE)
  assert caught.value.status_code == 422
  return caught.value.detail


@pytest.mark.parametrize('dtype', ['<f2', '<f4', '>f4', '<f8', '>f2'])
@pytest.mark.parametrize('fortran', [False, True])
@pytest.mark.parametrize('batched', [False, True])
def test_features_are_read(dtype, fortran, batched):
  array = VALUES.astype(dtype)
  array = np.asfortranarray(array) if fortran else array
  content = body(array[None] if batched else array)
  assert len(content) <= npy.max_bytes(*SHAPE)
  read = npy.read_features(content, *SHAPE)
  assert read.dtype == np.float16
  np.testing.assert_array_equal(read, VALUES)


@pytest.mark.parametrize(
  'array, words',
  [
    (np.zeros((3, 6), np.float32), 'shape (3, 6)'),
    (np.zeros((2, 3, 5), np.float32), 'shape (2, 3, 5)'),
    (np.zeros((0, 5), np.float32), 'shape (0, 5)'),
    (np.zeros(SHAPE, np.int32), 'type int32'),
    (np.zeros(SHAPE, np.complex64), 'type complex64'),
    (np.zeros(SHAPE, np.longdouble), 'type '),
    (np.zeros(SHAPE, 'U3'), 'type <U3'),
    (np.zeros(SHAPE, [('x', 'f4')]), 'type '),
    (np.full(SHAPE, np.nan), 'NaN'),
    (np.full(SHAPE, np.inf), 'NaN'),
    (np.full(SHAPE, 1e6), 'larger values than float16'),
  ],
)
def test_others_are_a_sentence(array, words):
  assert words in refusal(body(array))


def test_pickles_are_not_loaded(tmp_path):
  class Bomb:
    def __reduce__(self):
      return (tmp_path.joinpath('loaded').touch, ())

  array = np.array([[Bomb()] * 5] * 3, object)
  refusal(body(array, allow_pickle=True))
  assert not (tmp_path / 'loaded').exists()


@pytest.mark.parametrize(
  'shape', ['(10**12, 10**6)', '(1000000000000,1000000)', '(-3, 5)', '(3.0, 5)']
)
def test_a_header_allocates_nothing(shape):
  header = f"{{'descr': '<f8', 'fortran_order': False, 'shape': {shape}, }}\n"
  content = b'\x93NUMPY\x01\x00' + len(header).to_bytes(2, 'little')
  refusal(content + header.encode())


@pytest.mark.parametrize(
  'header', ['(' * 900, '-' * 900 + '1', '[' * 900 + ']' * 900, '{' * 500, '\0']
)
def test_hostile_headers_are_a_sentence(header):
  for version in (b'\x01\x00', b'\x02\x00', b'\x03\x00', b'\x09\x09'):
    width = 2 if version == b'\x01\x00' else 4
    size = len(header).to_bytes(width, 'little')
    refusal(b'\x93NUMPY' + version + size + header.encode())


def test_cut_and_longer_files_are_a_sentence():
  content = body(VALUES)
  for size in (0, 3, 8, 10, 50, len(content) - 1):
    refusal(content[:size])
  assert 'truncated or damaged' in refusal(content + b'\0')


@settings(max_examples=150, deadline=None)
@given(st.binary(max_size=200), st.integers(0, 160), st.integers(0, 160))
def test_damaged_files_never_raise_anything_else(noise, start, stop):
  content = bytearray(body(VALUES))
  content[start:stop] = noise
  for damaged in (bytes(content), noise, b'\x93NUMPY' + noise):
    try:
      read = npy.read_features(damaged, *SHAPE)
    except problems.Problem as problem:
      assert problem.status_code == 422 and len(problem.detail) < 300
    else:
      assert read.shape == SHAPE and np.isfinite(read).all()
