"""The TFDS builder."""

from __future__ import annotations

import os
import signal

import h5py
import numpy as np
import programs
import pytest

from nph_jax import errors
from nph_jax.data import (
  digests,
  moving_digits,
  rows,
  sources,
  video_features,
)
from nph_jax.data.quiet_tensorflow import tfds


def version_folder(data_dir, name='custom'):
  (folder,) = data_dir.glob(f'{name}-*/video_features/{name}/1.0.0')
  return folder


def test_content_in_file_order(files, tmp_path):
  frames = files.dataset()
  built = video_features.build(files.spec(train_labels=''), tmp_path / 'data')
  assert (built.num_frames, built.feature_dim, built.num_labels) == (3, 5, 4)
  for name, number in (('train', 12), ('query', 4), ('database', 7)):
    split = built.split(name)
    assert split.num_videos == number
    assert split.has_labels == (name != 'train')
    order = np.random.default_rng(1).permutation(number)
    found = split.read(order)
    half = frames[name].astype(np.float16)[order]
    np.testing.assert_array_equal(found['frames'], half)
    labels = files.multi_hot(number)[order] * split.has_labels
    np.testing.assert_array_equal(found['labels'], labels)
    np.testing.assert_array_equal(found['index'], order)
    expected = [digests.content_digest(video.tobytes()) for video in half]
    np.testing.assert_array_equal(found['digest'], expected)
    assert found['frames'].dtype == np.float16
    assert found['labels'].dtype == np.uint8


def test_tfds_reads_what_was_built(files, tmp_path):
  frames = files.dataset()
  video_features.build(files.spec(), tmp_path / 'data')
  builder = tfds.builder_from_directory(version_folder(tmp_path / 'data'))
  examples = list(tfds.as_numpy(builder.as_dataset(split='train')))
  assert [example['index'] for example in examples] == list(range(12))
  np.testing.assert_array_equal(
    [example['frames'] for example in examples],
    frames['train'].astype(np.float16),
  )


def test_every_name_has_a_builder_config():
  assert set(video_features.VideoFeatures.builder_configs) == set(sources.NAMES)


def test_second_run_reads_neither_sources_nor_builds(
  files, tmp_path, monkeypatch, capfd
):
  files.dataset()
  first = video_features.build(files.spec(), tmp_path / 'data')
  assert capfd.readouterr() == ('', '')

  def refuse(*_):
    raise AssertionError('read again')

  monkeypatch.setattr(rows.Rows, 'read', refuse)
  monkeypatch.setattr(digests, '_hash_file', refuse)
  second = video_features.build(files.spec(), tmp_path / 'data')
  assert first.key == second.key


def test_key_follows_content_not_place(files, tmp_path):
  files.dataset()
  first = video_features.build(files.spec(), tmp_path / 'data')
  moved = tmp_path / 'moved'
  files.folder.rename(moved)
  spec = files.spec(source_dir=str(moved))
  assert video_features.build(spec, tmp_path / 'data').key == first.key
  with h5py.File(moved / 'query.h5', 'r+') as file:
    file['feats'][0, 0, 0] = 9
  changed = video_features.build(spec, tmp_path / 'data')
  assert changed.key != first.key
  assert changed.split('query').read([0])['frames'][0, 0, 0] == 9


def test_damaged_digest_cache_is_replaced(files, tmp_path):
  files.dataset()
  first = video_features.build(files.spec(), tmp_path / 'data')
  (tmp_path / 'data' / digests.CACHE).write_text('{"half')
  assert video_features.build(files.spec(), tmp_path / 'data').key == first.key


def test_same_files_are_stored_once(files, tmp_path):
  files.dataset()
  spec = files.spec(database_features='train.h5', database_labels='train.mat')
  built = video_features.build(spec, tmp_path / 'data')
  folder = version_folder(tmp_path / 'data')
  assert len(list(folder.glob('*.tfrecord*'))) == 2
  train, query, database = (built.split(name) for name in sources.SPLITS)
  assert train.same_source_as(database)
  assert not query.same_source_as(database)
  np.testing.assert_array_equal(
    train.read([3])['frames'], database.read([3])['frames']
  )


def test_shared_frames_without_training_labels(files, tmp_path):
  files.dataset()
  spec = files.spec(
    train_labels='', database_features='train.h5', database_labels='train.mat'
  )
  built = video_features.build(spec, tmp_path / 'data')
  assert built.split('train').same_source_as(built.split('database'))
  assert not built.split('train').has_labels
  assert built.split('database').read([1])['labels'].sum() == 1


def test_many_shards_and_blocks(digits_spec, tmp_path, monkeypatch):
  monkeypatch.setattr(video_features, 'SHARD_BYTES', 60_000)
  monkeypatch.setattr(rows, 'BLOCK_BYTES', 40_000)
  built = video_features.build(digits_spec(), tmp_path)
  shards = version_folder(tmp_path, 'moving_digits').glob('*-train*')
  assert len(list(shards)) == 3  # 40 videos of 25 x 81 x 2 bytes
  found = built.split('train').read(range(40))
  frames, labels = moving_digits.make_videos('train', 0, 40, seed=0)
  np.testing.assert_array_equal(found['frames'], frames)
  np.testing.assert_array_equal(found['labels'], labels)
  np.testing.assert_array_equal(found['index'], np.arange(40))


def test_digits_key_follows_the_parameters(digits_spec, tmp_path):
  specs = [digits_spec(), digits_spec(seed=1), digits_spec(canvas=17)]
  keys = {video_features.build(spec, tmp_path).key for spec in specs}
  assert len(keys) == 3
  built = video_features.build(specs[0], tmp_path)
  assert built.key in keys
  assert not built.split('query').same_source_as(built.split('database'))


def test_bad_value_leaves_nothing(files, tmp_path):
  values = files.dataset()['database']
  values[6, 0, 0] = np.nan
  files.features('database.h5', values=values)
  with pytest.raises(errors.UserError, match=r'database\.h5: video 6 .*NaN'):
    video_features.build(files.spec(), tmp_path / 'data')
  assert set(os.listdir(tmp_path / 'data')) == {'.lock', digests.CACHE}


def test_damaged_built_data(digits_spec, tmp_path):
  video_features.build(digits_spec(), tmp_path)
  (shard,) = version_folder(tmp_path, 'moving_digits').glob('*-query*')
  shard.write_bytes(shard.read_bytes()[:-10])
  with pytest.raises(errors.UserError, match='damaged.*delete the folder'):
    video_features.build(digits_spec(), tmp_path)


def test_data_dir_that_cannot_be_made(digits_spec, tmp_path):
  (tmp_path / 'file').write_text('')
  with pytest.raises(
    errors.UserError, match='cannot be written .*data.dir=DIR'
  ):
    video_features.build(digits_spec(), tmp_path / 'file' / 'data')


def run_build(files, data_dir, before, **kwargs):
  """Builds `files`'s data set in another process, after the code `before`."""
  code = f"""
import os, resource, signal
from nph_jax import errors
from nph_jax.data import rows, sources, video_features
{before}
spec = sources.DataSpec.from_config({files.config(**kwargs)!r}, 0)
errors.run_main(lambda: video_features.build(spec, {str(data_dir)!r}))
"""
  return programs.run('-c', code)


KILLED_IN_A_LATER_SHARD = """
video_features.SHARD_BYTES = 100
read = rows.Rows.read
def killed(self, start, stop):
  if start >= 5:
    os.kill(os.getpid(), signal.SIGKILL)
  return read(self, start, stop)
rows.Rows.read = killed
"""


def test_kill_leaves_nothing_trusted(files, tmp_path):
  frames = files.dataset()
  data_dir = tmp_path / 'data'
  killed = run_build(files, data_dir, KILLED_IN_A_LATER_SHARD)
  assert killed.returncode == -signal.SIGKILL
  left = list(data_dir.glob('*/video_features/custom/*'))
  assert [path.name.split('.')[0] for path in left] == ['incomplete']
  assert list(left[0].glob('*-train.tfrecord*'))
  built = video_features.build(files.spec(), data_dir)
  assert not left[0].exists()
  np.testing.assert_array_equal(
    built.split('train').read(range(12))['frames'],
    frames['train'].astype(np.float16),
  )


def test_full_disk_is_one_sentence(files, tmp_path):
  files.dataset(train=400)  # 12 kB of frames in one shard
  limit = 'resource.setrlimit(resource.RLIMIT_FSIZE, (9000, 9000))'
  result = run_build(files, tmp_path / 'data', limit)
  programs.assert_failed(result, f'{tmp_path}/data/custom-')
  assert 'a file-size limit was reached' in result.stderr
  assert set(os.listdir(tmp_path / 'data')) == {'.lock', digests.CACHE}
