"""anchors.h5, train_assit.h5, latent_feats.h5: round trips and bad files."""

from __future__ import annotations

import h5py
import numpy as np
import programs
import pytest

from nph_jax import errors
from nph_jax.neighborhood import side_files


def _file(path, **values):
  with h5py.File(path, 'w') as file:
    for key, value in values.items():
      file[key] = value
  return path


def latent(path):
  with h5py.File(path) as file:
    return file['feats'][:]


def test_published_files(shared_data):
  folder = shared_data('fcvid_neighborhood')
  anchors = side_files.read_anchors(folder / 'anchors.h5')
  assert (anchors.shape, anchors.dtype) == ((1949, 256), np.float32)
  path = folder / 'train_assit.h5'
  indices = side_files.read_anchor_indices(path, 1949)
  assert (indices.shape, indices.dtype) == ((45585, 3), np.int32)
  np.testing.assert_array_equal(indices[0], [1523, 837, 432])
  with pytest.raises(errors.UserError, match='there are 1948'):
    side_files.read_anchor_indices(path, 1948)


def test_round_trips_in_the_published_format(tmp_path):
  rng = np.random.default_rng(0)
  anchors = rng.standard_normal((4, 3)).astype('f4')
  indices = rng.integers(0, 4, (9, 2)).astype(np.int32)
  features = rng.standard_normal((9, 3)).astype('f4')
  a, i, y = (tmp_path / name for name in ('a.h5', 'i.h5', 'y.h5'))
  side_files.write_anchors(a, anchors)
  side_files.write_anchor_indices(i, indices)
  side_files.write_latent_features(y, np.split(features, [4, 5, 8]), 9)
  np.testing.assert_array_equal(side_files.read_anchors(a), anchors)
  np.testing.assert_array_equal(side_files.read_anchor_indices(i, 4), indices)
  np.testing.assert_array_equal(latent(y), features)
  for path, key, dtype in (
    (a, 'feats', 'f4'),
    (i, 'pos', 'i8'),
    (y, 'feats', 'f4'),
  ):
    with h5py.File(path) as file:
      assert list(file) == [key]
      assert file[key].dtype == dtype
  assert sorted(p.name for p in tmp_path.iterdir()) == ['a.h5', 'i.h5', 'y.h5']


def test_latent_features_are_taken_block_by_block(tmp_path):
  alive = 0

  def blocks():
    nonlocal alive
    for start in range(0, 12, 4):
      alive += 1
      yield np.full((4, 2), start, 'f4')

  stream = blocks()
  path = tmp_path / 'y.h5'
  side_files.write_latent_features(path, stream, 12)
  assert alive == 3
  np.testing.assert_array_equal(latent(path)[:, 0], np.repeat([0, 4, 8], 4))


@pytest.mark.parametrize('rows', [[3, 3], [4, 4]])
def test_latent_features_of_another_count_leave_nothing(tmp_path, rows):
  path = tmp_path / 'y.h5'
  with pytest.raises(ValueError, match='rows were given'):
    side_files.write_latent_features(
      path, (np.zeros((n, 2), 'f4') for n in rows), 7
    )
  assert not list(tmp_path.iterdir())


def test_bad_latent_feature_names_the_video_and_keeps_the_old_file(tmp_path):
  path = tmp_path / 'y.h5'
  side_files.write_latent_features(path, [np.ones((3, 2), 'f4')], 3)
  blocks = [np.zeros((2, 2), 'f4'), np.array([[np.inf, 0]], 'f4')]
  with pytest.raises(errors.UserError, match='y.h5: video 2 has NaN'):
    side_files.write_latent_features(path, blocks, 3)
  assert (latent(path) == 1).all()
  assert [p.name for p in tmp_path.iterdir()] == ['y.h5']


_READERS = {
  'anchors': side_files.read_anchors,
  'indices': lambda path: side_files.read_anchor_indices(path, 4),
}


@pytest.mark.parametrize('kind', _READERS)
@pytest.mark.parametrize(
  ('values', 'message'),
  [
    (None, 'there is no such file'),
    ({'other': np.ones((2, 2))}, 'is missing .keys found: other'),
    ({'feats': np.ones(3), 'pos': np.ones(3, int)}, r'of shape \(3,\)'),
    (
      {'feats': np.ones((2, 2), int), 'pos': np.ones((2, 2))},
      'expected an? (float|integer) matrix',
    ),
    (
      {'feats': np.ones((0, 2)), 'pos': np.ones((0, 2), int)},
      r'of shape \(0, 2\)',
    ),
    (
      {'feats': np.array([[1, 2], [np.nan, 0]]), 'pos': [[0, 3], [4, 0]]},
      '(anchor|video) 1 has',
    ),
    (
      {'feats': np.array([[1, 2], [0, np.inf]]), 'pos': [[0, 3], [0, -1]]},
      '(anchor|video) 1 has',
    ),
  ],
)
def test_bad_files(tmp_path, kind, values, message):
  path = tmp_path / 'bad.h5'
  if values is not None:
    _file(path, **values)
  with pytest.raises(errors.UserError, match=message) as raised:
    _READERS[kind](path)
  assert str(raised.value).startswith(str(path))
  assert '\n' not in str(raised.value)


@pytest.mark.parametrize('kind', _READERS)
def test_truncated_file(tmp_path, kind):
  path = _file(
    tmp_path / 'cut.h5', feats=np.ones((99, 9)), pos=np.ones((99, 9), int)
  )
  path.write_bytes(path.read_bytes()[:3000])
  with pytest.raises(errors.UserError, match='perhaps truncated'):
    _READERS[kind](path)


@pytest.mark.parametrize('kind', ['anchors', 'latent'])
def test_full_disk(tmp_path, kind):
  path = tmp_path / 'full.h5'
  blocks = [np.ones((50, 99))] * 10
  with programs.full_disk(50_000):
    with programs.one_sentence(f'{path}: the disk is full'):
      if kind == 'anchors':
        side_files.write_anchors(path, np.concatenate(blocks))
      else:
        side_files.write_latent_features(path, blocks, 500)
  assert not list(tmp_path.iterdir())
