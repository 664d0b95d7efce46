"""Checks of the sources."""

from __future__ import annotations

import numpy as np
import programs
import pytest

from nph_jax import errors
from nph_jax.data import sources


def assert_refused(spec, *words):
  with programs.one_sentence(*words):
    sources.check(spec)


def test_sizes_found(files):
  files.dataset()
  assert sources.check(files.spec(train_labels='')) == sources.DataShape(
    3, 5, 4, {'train': 12, 'query': 4, 'database': 7}
  )


def test_paths_of_a_config(files, tmp_path):
  spec = files.spec(
    train_features=f' a.h5, {tmp_path}/b.h5', train_labels='', source_dir=''
  )
  assert spec.train.features == ('a.h5', f'{tmp_path}/b.h5')
  assert spec.train.labels == ()


def test_shards(files):
  files.dataset()
  files.features('more.h5', (5, 3, 5))
  files.labels('more.mat', files.multi_hot(5))
  spec = files.spec(
    database_features='database.h5,more.h5',
    database_labels='database.mat,more.mat',
  )
  assert sources.check(spec).num_videos['database'] == 12
  # As many rows in all, but in another order of files.
  assert_refused(
    files.spec(
      database_features='database.h5,more.h5',
      database_labels='more.mat,database.mat',
    ),
    'more.mat: label rows: 5',
  )


def test_unknown_name_and_negative_numbers(files):
  with pytest.raises(errors.UserError, match="'ucf' is unknown.*ucf101"):
    files.spec(name='ucf')
  with pytest.raises(errors.UserError, match='canvas=-1'):
    files.spec(canvas=-1)
  with pytest.raises(errors.UserError, match='seed=-2'):
    files.spec(seed=-2)


def test_missing_files_name_all_expected_and_where_from(files):
  files.dataset()
  (files.folder / 'query.h5').unlink()
  (files.folder / 'database.mat').unlink()
  spec = files.spec(name='activitynet', published='see BTH, its README.')
  assert_refused(
    spec,
    'activitynet: no such file:',
    f'{files.folder / "query.h5"}, {files.folder / "database.mat"};',
    'train.h5',
    'see BTH, its README;',
    '--config.data.source_dir',
  )


def test_no_file_at_all_is_listed_once(files):
  with pytest.raises(errors.UserError, match='none of the files') as caught:
    sources.check(files.spec())
  assert str(caught.value).count('query.mat') == 1


def test_unset_flags(files):
  spec = files.spec(train_features='', train_labels='', query_labels='')
  assert_refused(
    spec,
    'not set: --config.data.train.features=PATH, '
    '--config.data.query.labels=PATH;',
  )


@pytest.mark.parametrize(
  ('shape', 'words'),
  [
    ((4, 6, 5), 'train.h5: frames 3, but'),
    ((4, 3, 6), 'query.h5: frame features of width 6, but'),
    ((4, 0, 5), 'query.h5: no frames'),
    ((0, 3, 5), 'query.h5: the query split is empty'),
  ],
)
def test_shapes_of_splits(files, shape, words):
  files.dataset()
  files.features('query.h5', shape)
  files.labels('query.mat', np.zeros((shape[0], 4)))
  assert_refused(files.spec(), words)


def test_shapes_of_the_config(files):
  files.dataset()
  assert_refused(files.spec(num_frames=2), 'frames 3', 'num_frames is 2')
  assert_refused(files.spec(num_frames=4), 'frames 3', 'num_frames is 4')
  assert_refused(files.spec(feature_dim=4), 'width 5', 'feature_dim is 4')
  assert_refused(files.spec(num_labels=5), 'columns: 4', 'num_labels is 5')


def test_label_rows_and_columns(files):
  files.dataset()
  files.labels('query.mat', files.multi_hot(5))
  assert_refused(files.spec(), 'query.mat', 'label rows: 5', 'query.h5: 4')
  files.labels('query.mat', np.zeros((4, 81)))
  assert_refused(
    files.spec(), 'query.mat: label columns: 81', 'train.mat has 4'
  )
  assert_refused(
    files.spec(train_labels=''),
    'database.mat: label columns: 4',
    'query.mat has 81',
  )


def test_too_few_training_videos(files):
  files.dataset(train=9)
  assert_refused(files.spec(), 'train.h5: 9 training videos', 'at least 10')


def test_other_number_than_published_is_a_warning(files, caplog):
  files.dataset()
  spec = files.spec(name='fcvid', query_num_videos=1000)
  sources.check(spec)
  assert 'query.h5: 4 videos, the published query split' in caplog.text


def test_moving_digits(digits_spec):
  assert sources.check(digits_spec(canvas=12)) == sources.DataShape(
    25, 144, 10, {'train': 40, 'query': 10, 'database': 21}
  )
  assert_refused(digits_spec(canvas=8), 'config.data.canvas=8', 'at least 9')
  assert_refused(digits_spec(feature_dim=7), 'feature_dim=7', '81')
  assert_refused(digits_spec(num_labels=7), 'num_labels=7')
  assert_refused(digits_spec(train=9), '9 training videos')
  assert_refused(digits_spec(query=0), 'the query split is empty')
