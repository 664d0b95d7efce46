"""The command line that encodes feature files: codes, memory, bad input.

The bundle here is a linear hash, exported like any other, so that every code
can be computed by hand.
"""

import functools
import os
import pathlib
import tracemalloc

import h5py
import jax
import jax.export
import jax.numpy as jnp
import numpy as np
import programs
import pytest

from nph_jax import encode, errors
from nph_jax.export import bundle, load_hasher

NUM_FRAMES, FRAME_DIM, NUM_BITS, BLOCK_SIZE = 2, 6, 16, 4
HEAVY = ('flax', 'optax', 'orbax', 'tensorflow', 'tensorflow_datasets')
KERNEL = np.random.default_rng(0).integers(
  -4, 5, (NUM_FRAMES * FRAME_DIM, NUM_BITS)
)


def linear_hash(parameters, frames):
  finite = jnp.isfinite(frames).all(axis=(1, 2))
  rows = frames.astype(jnp.float32).reshape(frames.shape[0], -1)
  relaxed = rows @ parameters['kernel']
  packed = jnp.packbits(relaxed >= 0, axis=-1)
  return {'finite': finite, 'packed_code': packed, 'relaxed_code': relaxed}


@functools.cache
def linear_bundle():
  kernel = KERNEL.astype(np.float32)
  shape = jax.export.symbolic_shape(f'batch, {NUM_FRAMES}, {FRAME_DIM}')
  exported = jax.export.export(jax.jit(linear_hash))(
    {'kernel': jax.ShapeDtypeStruct(kernel.shape, kernel.dtype)},
    jax.ShapeDtypeStruct(shape, jnp.float16),
  )
  manifest = {
    'format': bundle.FORMAT,
    'jax': jax.__version__,
    'num_bits': NUM_BITS,
    'num_frames': NUM_FRAMES,
    'feature_dim': FRAME_DIM,
    'block_size': BLOCK_SIZE,
    'method': 'linear',
    'dataset': 'none',
    'step': 0,
    'config': {'seed': 0},
  }
  return bundle.Bundle(
    bytes(exported.serialize()), {'kernel': kernel}, manifest
  )


def frames(number, seed=0):
  """Whole numbers, so that every sum is exact."""
  rng = np.random.default_rng(seed)
  shape = (number, NUM_FRAMES, FRAME_DIM)
  return rng.integers(-9, 10, shape).astype(np.float32)


def expected(features):
  relaxed = features.reshape(-1, len(KERNEL)) @ KERNEL
  return np.packbits(relaxed >= 0, axis=1)


def save_h5(path, values, key='feats'):
  with h5py.File(path, 'w') as file:
    file[key] = values


@pytest.fixture
def files(tmp_path, monkeypatch):
  """A bundle and a feature file in the working directory."""
  monkeypatch.chdir(tmp_path)
  bundle.write(linear_bundle(), pathlib.Path('export'))
  save_h5('frames.h5', frames(11))
  return tmp_path


def flags(features='frames.h5', bundle='export', out='codes.npy'):
  return [f'--bundle={bundle}', f'--features={features}', f'--out={out}']


@pytest.mark.parametrize('number', [0, 1, 3, 4, 5, 8, 11])
def test_codes_are_packed_in_file_order(files, capsys, number):
  np.save('frames.npy', frames(number))
  encode.main(flags('frames.npy'))
  codes = np.load('codes.npy')
  assert codes.dtype == np.uint8 and codes.shape == (number, NUM_BITS // 8)
  np.testing.assert_array_equal(codes, expected(frames(number)))
  assert f'codes.npy: {number} codes of 16 bits' in capsys.readouterr().out


def test_shards_are_read_one_after_the_other(files):
  save_h5('a.h5', frames(5, 1).astype(np.float16))
  np.save('b.npy', frames(2, 2).astype(np.float64))
  encode.main(flags('a.h5,b.npy,frames.h5'))
  everything = np.concatenate([frames(5, 1), frames(2, 2), frames(11)])
  np.testing.assert_array_equal(np.load('codes.npy'), expected(everything))


def test_replaces_older_codes(files):
  np.save('codes.npy', np.zeros(3))
  encode.main(flags())
  np.testing.assert_array_equal(np.load('codes.npy'), expected(frames(11)))
  assert sorted(os.listdir()) == ['codes.npy', 'export', 'frames.h5']


def test_memory_does_not_grow_with_the_videos(files):
  hasher = load_hasher('export')

  def peak(number):
    np.save('some.npy', frames(number))
    tracemalloc.start()
    encode.encode_files(hasher, ['some.npy'], pathlib.Path('codes.npy'))
    highest = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    return highest

  peak(8)  # imports and compiles
  # Half of the codes' two bytes a video; their features are 48.
  assert peak(40_000) - peak(400) < 39_600


def nan_in_video(number):
  values = frames(11)
  values[number, 1, 2] = np.nan
  return values


@pytest.mark.parametrize(
  ('features', 'complaint'),
  [
    (lambda path: None, 'bad.h5: no such file'),
    (lambda path: save_h5(path, frames(3)[:, :1]), '1 frames of width 6, but'),
    (lambda path: save_h5(path, frames(3)[..., 1:]), '2 frames of width 5'),
    (lambda path: save_h5(path, nan_in_video(9)), 'video 9 '),
    (lambda path: save_h5(path, 1e6 * frames(3)), 'beyond float16'),
    (lambda path: save_h5(path, frames(3), 'x'), 'the key `feats` is missing'),
    (lambda path: save_h5(path, frames(3)[0]), 'features of shape (2, 6)'),
    (lambda path: pathlib.Path(path).write_text('x'), 'not a readable HDF5'),
  ],
)
def test_bad_features_are_named_and_leave_nothing(files, features, complaint):
  features('bad.h5')
  before = sorted(os.listdir())
  with programs.one_sentence('bad.h5: ', complaint):
    encode.main(flags('bad.h5'))
  assert sorted(os.listdir()) == before


@pytest.mark.parametrize(
  ('changes', 'more', 'complaint'),
  [
    ({'bundle': 'gone'}, [], 'gone/manifest.json: is missing'),
    ({'bundle': 'frames.h5'}, [], 'frames.h5/manifest.json: is missing'),
    ({'features': ','}, [], '--features= names no file'),
    ({'out': 'gone/codes.npy'}, [], 'the folder gone is missing'),
    ({'out': 'export'}, [], 'export: is a folder'),
    ({'out': 'frames.h5'}, [], 'is one of the feature files'),
    ({'out': './export/../frames.h5'}, [], 'is one of the feature files'),
    ({'out': '/proc/codes.npy'}, [], '/proc/codes.npy: cannot be written'),
    ({}, ['--bogus'], 'unrecognized arguments: --bogus'),
    ({}, ['--feature=x'], 'unrecognized arguments: --feature=x'),
    ({}, ['stray'], 'unrecognized arguments: stray'),
  ],
)
def test_other_mistakes_get_one_sentence(files, changes, more, complaint):
  before = sorted(os.listdir())
  with programs.one_sentence(complaint):
    encode.main([*flags(**changes), *more])
  assert sorted(os.listdir()) == before
  assert os.path.getsize('frames.h5') > 500


def test_missing_flags_are_named():
  with pytest.raises(errors.UserError, match='required: --features, --out'):
    encode.main(['--bundle=export'])


def test_a_full_disk_leaves_the_older_codes(files):
  np.save('many.npy', frames(4000))
  np.save('codes.npy', np.zeros(3))
  with programs.full_disk(4096):
    with pytest.raises(errors.UserError, match='codes.npy: the disk is full'):
      encode.main(flags('many.npy'))
  np.testing.assert_array_equal(np.load('codes.npy'), np.zeros(3))
  assert not [name for name in os.listdir() if name.startswith('.')]


def test_from_the_shell(files):
  done = programs.run('-m', 'nph_jax.encode', *flags())
  assert (done.returncode, done.stdout) == (
    0,
    'codes.npy: 11 codes of 16 bits\n',
  )
  np.testing.assert_array_equal(np.load('codes.npy'), expected(frames(11)))


def test_a_mistake_ends_with_exit_code_one_and_no_traceback(files):
  done = programs.run('-m', 'nph_jax.encode', *flags(features='gone.npy'))
  programs.assert_failed(done, 'gone.npy: no such file')


def test_needs_no_training_library(files):
  code = f'from nph_jax import encode; encode.main({flags()})'
  assert not {*HEAVY} & programs.loaded(code)
  assert os.path.exists('codes.npy')
