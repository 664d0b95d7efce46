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


def test_matlab_s_order_of_axes(files):
  files.features('a.h5', (5, 3, 2))
  with h5py.File(files.folder / 'a.h5', 'a') as file:
    file['feats'].attrs['MATLAB_class'] = np.bytes_('single')
  with pytest.raises(errors.UserError, match=r'reverse here, \(5, 3, 2\)'):
    read_all([files.folder / 'a.h5'])


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


def test_truncated_file(files):
  files.features('a.h5', (50, 10, 20))
  path = files.folder / 'a.h5'
  path.write_bytes(path.read_bytes()[:-5000])
  with pytest.raises(errors.UserError, match=r'a\.h5: .*truncated'):
    read_all([path])


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


@pytest.mark.parametrize(
  ('name', 'content', 'message'),
  [
    ('a.h5', b'no HDF5', 'not a readable HDF5 file'),
    ('a.npy', b'no npy', 'not a readable .npy file'),
    ('a.npy', b'', 'not a readable .npy file'),
    ('a.mat', b'', 'features are read from'),
  ],
)
def test_other_content(files, name, content, message):
  (files.folder / name).write_bytes(content)
  with pytest.raises(errors.UserError, match=message):
    read_all([files.folder / name])


def test_truncated_npy(files):
  path = files.folder / 'a.npy'
  np.save(path, np.zeros((5, 3, 2)))
  path.write_bytes(path.read_bytes()[:-8])
  with pytest.raises(errors.UserError, match=r'a\.npy: not a readable'):
    read_all([path])


def test_archive_instead_of_npy(files):
  path = files.folder / 'a.npy'
  with open(path, 'wb') as file:
    np.savez(file, np.zeros((5, 3, 2)))
  with pytest.raises(errors.UserError, match='archive of several arrays'):
    read_all([path])


def test_missing_key_lists_those_found(files):
  files.features('a.h5', key='features')
  with pytest.raises(errors.UserError, match=r'`feats` is missing.*: features'):
    read_all([files.folder / 'a.h5'])


def test_missing_file(files):
  with pytest.raises(errors.UserError, match=r'a\.h5: no such file'):
    read_all([files.folder / 'a.h5'])


def test_wrong_rank_and_type(files):
  files.features('a.h5', values=np.zeros((4, 5), np.float32))
  with pytest.raises(errors.UserError, match=r'\(4, 5\).*three axes'):
    read_all([files.folder / 'a.h5'])
  files.features('a.h5', values=np.zeros((4, 5, 2), np.int32))
  with pytest.raises(errors.UserError, match='type int32'):
    read_all([files.folder / 'a.h5'])


def test_shards_of_different_frames(files):
  files.features('a.h5', (4, 3, 2))
  files.features('b.h5', (4, 5, 2))
  with pytest.raises(errors.UserError, match=r'b\.h5: 5 frames.*a\.h5 has 3'):
    read_all([files.folder / 'a.h5', files.folder / 'b.h5'])
