"""Label files."""

from __future__ import annotations

import h5py
import numpy as np
import pytest
import scipy.io
import scipy.sparse

from nph_jax import errors
from nph_jax.data import labels


@pytest.mark.parametrize('key', ['labels', 're_label', 'q_label'])
def test_known_keys(files, key):
  files.labels('a.mat', files.multi_hot(6).astype(np.float64), key)
  found = labels.read_labels([str(files.folder / 'a.mat')])
  assert found.dtype == np.uint8
  np.testing.assert_array_equal(found, files.multi_hot(6))


def test_shards_npy_sparse_and_v73(files):
  paths = [files.folder / name for name in ('a.npy', 'b.mat', 'c.mat')]
  np.save(paths[0], files.multi_hot(5).astype(bool))
  files.labels('b.mat', scipy.sparse.csc_matrix(files.multi_hot(6)))
  with h5py.File(paths[2], 'w') as file:
    file['labels'] = files.multi_hot(7).T  # MATLAB stores its axes reversed
  np.testing.assert_array_equal(
    labels.read_labels([str(path) for path in paths]),
    np.concatenate(
      [files.multi_hot(5), files.multi_hot(6), files.multi_hot(7)]
    ),
  )


def test_no_known_key_and_several(files):
  path = str(files.folder / 'a.mat')
  files.labels('a.mat', files.multi_hot(6), 'classes')
  with pytest.raises(errors.UserError, match=r'no label key .*: classes\)'):
    labels.read_labels([path])
  scipy.io.savemat(
    path, {'labels': files.multi_hot(6), 'q_label': files.multi_hot(6)}
  )
  with pytest.raises(errors.UserError, match='more than one label key'):
    labels.read_labels([path])


def test_sparse_v73(files):
  with h5py.File(files.folder / 'a.mat', 'w') as file:
    file.create_group('labels')
  with pytest.raises(errors.UserError, match='sparse or nested'):
    labels.read_labels([str(files.folder / 'a.mat')])


@pytest.mark.parametrize(
  ('values', 'message'),
  [
    (np.array([1, 2, 3]), r'expected numbers of shape \(videos, labels\)'),
    (np.array([[1, 2], [0, 1]]), 'labels other than 0 and 1'),
    (np.array([[np.nan, 1.0]]), 'labels other than 0 and 1'),
    (np.array([['a', 'b']]), 'expected numbers'),
    (np.array([[0], [1]]), 'one column of 0 and 1'),
  ],
)
def test_not_multi_hot(files, values, message):
  np.save(files.folder / 'a.npy', values)
  with pytest.raises(errors.UserError, match=message):
    labels.read_labels([str(files.folder / 'a.npy')])


@pytest.mark.parametrize(
  ('name', 'content', 'words'),
  [
    ('a.mat', b'no mat', 'not a readable'),
    ('a.mat', b'', 'not a readable'),
    ('a.mat', None, 'no such file'),
    ('a.npy', b'no npy', 'not a readable'),
    ('a.csv', b'1', "not '.csv'"),
  ],
)
def test_other_content(files, name, content, words):
  if content is not None:
    (files.folder / name).write_bytes(content)
  with pytest.raises(errors.UserError, match=f'{name}: .*{words}'):
    labels.read_labels([str(files.folder / name)])


def test_one_label_for_all(files):
  np.save(files.folder / 'a.npy', np.ones((3, 1)))
  found = labels.read_labels([str(files.folder / 'a.npy')])
  np.testing.assert_array_equal(found, np.ones((3, 1)))


def test_truncated_mat(files):
  files.labels('a.mat', np.eye(200))
  path = files.folder / 'a.mat'
  path.write_bytes(path.read_bytes()[:-3000])
  with pytest.raises(errors.UserError, match=r'a\.mat: not a readable'):
    labels.read_labels([str(path)])


def test_width_of_shards(files):
  files.labels('a.mat', np.eye(80))
  files.labels('b.mat', np.eye(81))
  with pytest.raises(errors.UserError, match=r'b\.mat: 81 .*a\.mat has 80'):
    labels.read_labels([str(files.folder / n) for n in ('a.mat', 'b.mat')])
