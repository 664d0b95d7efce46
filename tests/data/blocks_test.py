"""Feature files read in blocks."""

from __future__ import annotations

import h5py
import numpy as np
import pytest

from nph_jax import errors
from nph_jax.data import blocks


def read_all(paths, block_size=4):
  return list(blocks.iterate_blocks([str(path) for path in paths], block_size))


def test_blocks_cross_shards_in_order(files):
  first = files.features('a.h5', (5, 3, 2))
  second = files.features('b.h5', (6, 3, 2))
  found = read_all([files.folder / 'a.h5', files.folder / 'b.h5'])
  assert [len(block) for block in found] == [4, 4, 3]
  assert all(block.dtype == np.float16 for block in found)
  np.testing.assert_array_equal(
    np.concatenate(found), np.concatenate([first, second]).astype(np.float16)
  )


def test_chunks_across_rows_are_decompressed_once(files):
  """Else every block would decompress the 20 rows of its chunks."""
  values = files.rng.standard_normal((50, 3, 40_000)).astype(np.float32)
  with h5py.File(files.folder / 'a.h5', 'w') as file:
    file.create_dataset(
      'feats', data=values, chunks=(20, 1, 40_000), compression='gzip'
    )
  with blocks.FeatureFiles([str(files.folder / 'a.h5')]) as opened:
    (array,) = opened._arrays
    size = array.id.get_access_plist().get_chunk_cache()[1]
    assert size >= 3 * 20 * 40_000 * 4
  np.testing.assert_array_equal(
    np.concatenate(read_all([files.folder / 'a.h5'])), values.astype(np.float16)
  )


def test_npy_equals_hdf5(files):
  values = files.features('a.h5', (5, 3, 2))
  np.save(files.folder / 'a.npy', values)
  np.testing.assert_array_equal(
    read_all([files.folder / 'a.h5'])[0], read_all([files.folder / 'a.npy'])[0]
  )


@pytest.mark.parametrize(
  ('value', 'word'),
  [(np.nan, 'NaN'), (-np.inf, 'infinity'), (65520.0, '65520, beyond float16')],
)
def test_bad_value_names_file_and_video(files, value, word):
  values = files.features('a.h5', (6, 3, 2))
  values[5, 2, 1] = value
  files.features('b.h5', values=values)
  with pytest.raises(errors.UserError, match=rf'b\.h5: video 5 .*{word}'):
    read_all([files.folder / 'a.h5', files.folder / 'b.h5'])


def test_largest_half_is_kept(files):
  files.features('a.h5', values=np.full((1, 1, 2), 65519.0, np.float32))
  assert (read_all([files.folder / 'a.h5'])[0] == 65504).all()


def test_damaged_in_the_middle(files):
  path = files.folder / 'a.h5'
  values = np.random.default_rng(0).standard_normal((8, 10, 20))
  with h5py.File(path, 'w') as file:
    file.create_dataset(
      'feats', data=values, chunks=(2, 10, 20), compression='gzip'
    )
    chunk = file['feats'].id.get_chunk_info(2)
  content = bytearray(path.read_bytes())
  content[chunk.byte_offset : chunk.byte_offset + 200] = bytes(200)
  path.write_bytes(content)
  with pytest.raises(errors.UserError, match=r'a\.h5: videos 4 to 5 cannot'):
    read_all([path], block_size=2)


def cut_off(path, count):
  path.write_bytes(path.read_bytes()[:-count])


def saved_by_matlab(path):
  with h5py.File(path, 'a') as file:
    file['feats'].attrs['MATLAB_class'] = np.bytes_('single')


def archived(path):
  with open(path, 'wb') as file:
    np.savez(file, np.zeros((5, 3, 2)))


@pytest.mark.parametrize(
  ('name', 'values', 'change', 'words'),
  [
    ('a.h5', (50, 10, 20), lambda path: cut_off(path, 5000), 'truncated'),
    ('a.h5', (5, 3, 2), lambda path: path.unlink(), 'no such file'),
    ('a.h5', (5, 3, 2), saved_by_matlab, r'reverse here, \(5, 3, 2\)'),
    ('a.h5', (5, 3, 2), lambda path: path.write_bytes(b'no'), 'HDF5 file'),
    ('a.h5', (4, 5), None, r'\(4, 5\).*three axes'),
    ('a.h5', np.zeros((4, 5, 2), int), None, 'type int64'),
    ('a.npy', (5, 3, 2), lambda path: cut_off(path, 8), 'a readable .npy'),
    ('a.npy', (5, 3, 2), lambda path: path.write_bytes(b'no'), 'a readable'),
    ('a.npy', (5, 3, 2), lambda path: path.write_bytes(b''), 'a readable .npy'),
    ('a.npy', (5, 3, 2), archived, 'archive of several arrays'),
    ('a.mat', (5, 3, 2), None, 'features are read from'),
  ],
)
def test_files_that_cannot_be_read(files, name, values, change, words):
  path = files.folder / name
  if isinstance(values, tuple):
    values = np.zeros(values, np.float32)
  if name == 'a.npy':
    np.save(path, values)
  else:
    files.features(name, values=values)
  if change:
    change(path)
  with pytest.raises(errors.UserError, match=rf'{name}: .*{words}'):
    read_all([path])


def test_missing_key_lists_those_found(files):
  files.features('a.h5', key='features')
  with pytest.raises(errors.UserError, match=r'`feats` is missing.*: features'):
    read_all([files.folder / 'a.h5'])


def test_shards_of_different_frames(files):
  files.features('a.h5', (4, 3, 2))
  files.features('b.h5', (4, 5, 2))
  with pytest.raises(errors.UserError, match=r'b\.h5: 5 frames.*a\.h5 has 3'):
    read_all([files.folder / 'a.h5', files.folder / 'b.h5'])
