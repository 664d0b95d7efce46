"""What an exported hasher computes, and that nothing but the video decides."""

import dataclasses
import pathlib

import jax
import jax.export
import methods
import numpy as np
import pytest

from nph_jax import errors
from nph_jax.export import bundle, load_hasher

ROOT = pathlib.Path(__file__).parents[2]
BLOCK_SIZE = 8  # of the toy


def reference_code(toy, frames):
  """t [B, K] from the modules themselves, the nearest anchors by NumPy."""
  frames = frames.astype(np.float32)
  y = np.asarray(
    toy.autoencoder.apply(
      {'params': toy.autoencoder_params}, frames, method='features'
    )
  )
  distances = np.linalg.norm(y[:, None] - toy.anchors[None], axis=-1)
  nearest = toy.anchors[np.argsort(distances, axis=1)[:, :2]]
  return np.asarray(toy.method.relaxed_code(toy.variables, frames, nearest))


def test_export_equals_the_model(toy):
  frames = toy.frames()
  expected = reference_code(toy, frames)
  codes, relaxed = toy.hasher.encode_relaxed(frames)
  np.testing.assert_allclose(relaxed, expected, rtol=1e-5, atol=1e-6)
  clear = np.abs(expected) > 1e-5
  assert clear.mean() > 0.99 and 0.2 < (expected > 0).mean() < 0.8
  bits = np.unpackbits(codes, axis=1).astype(bool)
  np.testing.assert_array_equal(bits[clear], (expected > 0)[clear])


def test_the_first_bit_is_the_most_significant(toy):
  codes, relaxed = toy.hasher.encode_relaxed(toy.frames())
  assert codes.dtype == np.uint8 and codes.shape == (21, 2)
  np.testing.assert_array_equal(codes[:, 0] >= 128, relaxed[:, 0] >= 0)
  np.testing.assert_array_equal(codes, np.packbits(relaxed >= 0, axis=1))
  np.testing.assert_array_equal(codes, toy.hasher.encode(toy.frames()))


@pytest.mark.parametrize('size', [1, 2, 3, 7, 8, 9])
def test_the_callers_batch_size_changes_no_bit(toy, size):
  frames = toy.frames()
  codes, relaxed = toy.hasher.encode_relaxed(frames)
  parts = [
    toy.hasher.encode_relaxed(frames[i : i + size])
    for i in range(0, len(frames), size)
  ]
  np.testing.assert_array_equal(np.concatenate([p[0] for p in parts]), codes)
  np.testing.assert_array_equal(np.concatenate([p[1] for p in parts]), relaxed)


def test_few_videos_get_the_block_s_codes_without_one(toy):
  frames = toy.frames(400)
  codes, relaxed = toy.hasher.encode_relaxed(frames)
  sizes, start = [], toy.hasher._start
  few = toy.bundle.load()
  few._start = lambda block, size: sizes.append(size) or start(block, size)
  for number in range(1, BLOCK_SIZE + 1):
    sizes.clear()
    for first in range(0, len(frames), number):
      part = slice(first, first + number)
      found, near = few.encode_query(frames[part])
      np.testing.assert_array_equal(found, codes[part])
      np.testing.assert_allclose(near, relaxed[part], atol=1e-5)
    if number <= BLOCK_SIZE / 2:
      assert np.mean(np.array(sizes) < BLOCK_SIZE) > 0.5


@pytest.mark.parametrize('scale', [1, 1e4])
def test_the_margin_does_not_grow_with_t(toy, scale):
  """Rounding does: a closed form's t has the size of its features."""
  method = methods.make('itq', 8, 3, 9)
  rng = np.random.default_rng(0)
  variables = {
    'mean': np.zeros(9, np.float32),
    'projection': np.float32(scale) * rng.standard_normal((9, 8), np.float32),
    'threshold': np.zeros(8, np.float32),
  }
  hasher = bundle.build(method, variables, None, 8, {'method': 'itq'}).load()
  outputs = hasher._start(toy.frames(), len(toy.frames()))
  size = np.abs(np.asarray(outputs['relaxed_code'], np.float64))
  expected = size.min(axis=1) / size.max(axis=1)
  np.testing.assert_allclose(outputs['margin'], expected, rtol=1e-5)
  assert 0 < expected.min() < expected.max() < 1


def test_what_rounding_could_decide_goes_through_the_block(toy):
  made = dataclasses.replace(
    toy.bundle, manifest={**toy.bundle.manifest, 'certain_beyond': 2.0}
  )
  frames = toy.frames(3)
  expected = toy.hasher.encode_relaxed(frames)
  for found, block in zip(made.load().encode_query(frames), expected):
    np.testing.assert_array_equal(found, block)


def test_the_margin_is_that_of_the_nearest_decision(toy):
  """Of a bit, or of which anchors are nearest: the smaller one."""
  frames = toy.frames(200)
  outputs = toy.hasher._start(frames, len(frames))
  size = np.abs(np.asarray(outputs['relaxed_code']))
  relaxed = size.min(axis=1) / size.max(axis=1)
  y = np.asarray(
    toy.autoencoder.apply(
      {'params': toy.autoencoder_params},
      frames.astype(np.float32),
      method='features',
    ),
    np.float64,
  )
  distances = np.square(y[:, None] - toy.anchors[None]).sum(-1)
  gaps = np.diff(np.sort(distances, axis=1)[:, :3]).min(axis=1)
  longest = np.linalg.norm(toy.anchors, axis=1).max()
  anchors = gaps / (4 * np.linalg.norm(y, axis=1) * longest)
  assert 0.1 < (anchors < relaxed).mean() < 0.9
  np.testing.assert_allclose(
    np.asarray(outputs['margin']),
    np.minimum(relaxed, anchors),
    rtol=1e-2,
    atol=2e-6,
  )


@pytest.mark.parametrize('name', ['ssth', 'nph in bfloat16'])
def test_other_methods_are_not_certain_of_a_few(toy, name):
  """A sign on the way to t, or coarse products."""
  assert toy.bundle.manifest['certain_beyond'] == 1e-4
  method = methods.make('ssth', 16, 3, 9) if name == 'ssth' else toy.method
  variables = toy.variables
  if name == 'ssth':
    variables = method.inference_variables(*method.init(jax.random.key(0), {}))
  made = bundle.build(
    method,
    variables,
    None
    if name == 'ssth'
    else bundle.Neighborhood(
      toy.autoencoder, toy.autoencoder_params, toy.anchors, 2
    ),
    8,
    {'method': name},
    'float32' if name == 'ssth' else 'bfloat16',
  )
  assert made.manifest['certain_beyond'] is None


def test_blocks_in_flight_come_back_in_turn(toy):
  frames = toy.frames()
  sizes = [8, 3, 8, 1, 1]
  parts = np.split(frames, np.cumsum(sizes)[:-1])
  found = list(toy.hasher.encode_blocks(iter(parts)))
  assert [len(codes) for codes, _ in found] == sizes
  codes, relaxed = map(np.concatenate, zip(*found, strict=True))
  expected = toy.hasher.encode_relaxed(frames)
  np.testing.assert_array_equal(codes, expected[0])
  np.testing.assert_array_equal(relaxed, expected[1])


def test_the_place_in_a_block_changes_no_bit(toy):
  frames = toy.frames()
  relaxed = toy.hasher.encode_relaxed(frames)[1]
  for seed in range(7):
    order = np.random.default_rng(seed).permutation(len(frames))
    shuffled = toy.hasher.encode_relaxed(frames[order])[1]
    np.testing.assert_array_equal(shuffled, relaxed[order])


def test_no_videos_give_no_codes(toy):
  codes, relaxed = toy.hasher.encode_relaxed(toy.frames(0))
  assert codes.shape == (0, 2) and codes.dtype == np.uint8
  assert relaxed.shape == (0, 16)


def test_inputs_equal_in_float16_give_equal_codes(toy):
  half = toy.frames()
  relaxed = toy.hasher.encode_relaxed(half)[1]
  for dtype in (np.float32, np.float64):
    # A tenth of the distance to the next float16: it rounds back.
    near = half.astype(dtype) + np.spacing(half).astype(dtype) / 10
    assert (near != half).all()
    np.testing.assert_array_equal(
      toy.hasher.encode_relaxed(near)[1], relaxed, err_msg=str(dtype)
    )


def test_videos_with_different_frames_get_different_codes(toy):
  frames = toy.frames()
  reordered = toy.hasher.encode_relaxed(frames[:, ::-1])[1]
  assert not np.allclose(reordered, toy.hasher.encode_relaxed(frames)[1])
  assert len(np.unique(toy.hasher.encode(frames), axis=0)) > 5


@pytest.mark.parametrize(
  'shape', [(3, 9), (2, 3, 8), (2, 4, 9), (2, 9, 3), (1, 2, 3, 9), ()]
)
def test_another_shape_is_an_error(toy, shape):
  with pytest.raises(errors.UserError, match=r'reads \(videos, 3, 9\)'):
    toy.hasher.encode(np.zeros(shape, np.float32))


@pytest.mark.parametrize('value', [np.nan, np.inf, -np.inf, 1e6, -65520])
def test_a_value_float16_cannot_hold_names_its_video(toy, value):
  frames = toy.frames().astype(np.float32)
  frames[13, 1, 4] = value
  with pytest.raises(errors.UserError, match='video 13 of the frames'):
    toy.hasher.encode(frames)
  toy.hasher.encode(np.delete(frames, 13, axis=0))


def test_program_is_for_both_platforms_and_any_batch(toy):
  exported = jax.export.deserialize(bytearray(toy.bundle.program))
  assert set(exported.platforms) == {'cpu', 'cuda'}
  batch, num_frames, width = exported.in_avals[-1].shape
  assert jax.export.is_symbolic_dim(batch)
  assert (num_frames, width) == (3, 9)
  shapes = [aval.shape for aval in exported.out_avals]
  assert shapes == [(batch,), (batch,), (batch, 2), (batch, 16)]


def test_a_written_bundle_computes_the_same(toy, tmp_path):
  bundle.write(toy.bundle, tmp_path / 'export')
  hasher = load_hasher(tmp_path / 'export')
  assert (hasher.num_bits, hasher.num_frames, hasher.feature_dim) == (16, 3, 9)
  assert hasher.block_size == 8
  np.testing.assert_array_equal(
    hasher.encode_relaxed(toy.frames())[1],
    toy.hasher.encode_relaxed(toy.frames())[1],
  )
