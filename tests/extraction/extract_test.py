"""The command: clips in, files out that nph_jax itself reads."""

import json
import os
import shutil
import sys

import h5py
import numpy as np
import pytest
from extract_runs import FRAMES, WIDTH, contents, run

from nph_jax import errors, extract
from nph_jax.data import blocks, labels
from nph_jax.extraction import tasks


def read_lines(path):
  return [json.loads(line) for line in path.read_text().splitlines()]


def test_files_are_the_field_s(finished):
  folder, result = finished
  assert sorted(contents(folder)) == [
    'features.h5',
    'features.manifest.jsonl',
    'features.skipped.jsonl',
    'features_labels.json',
    'features_labels.mat',
  ]
  said = result.stdout.splitlines()
  assert said[0] == '8 added, 2 bad'
  assert said[1] == f'{folder}/features.h5: 8 videos, 3 frames of width 48'
  assert said[2] == f'{folder}/features_labels.mat: their labels, 2 folders'
  assert said[3].endswith(
    f'.features={folder}/features.h5 '
    f'--config.data.train.labels={folder}/features_labels.mat'
  )
  with blocks.FeatureFiles([str(folder / 'features.h5')]) as files:
    assert files.shape == (8, FRAMES, WIDTH)
    features = files.read(0, 8)
  assert features.dtype == np.float16
  # Frame i of a clip is of brightness 8 i; segments of the shortest, 4 frames.
  brightness = features[0].mean(axis=-1) * 255 / 8
  np.testing.assert_allclose(brightness, [0, 2, 3], atol=0.3)
  multi_hot = labels.read_labels([str(folder / 'features_labels.mat')])
  np.testing.assert_array_equal(multi_hot[:, 0], [1] * 4 + [0] * 4)
  names = json.loads((folder / 'features_labels.json').read_text())
  assert names == ['jump', 'run']


def test_manifest_has_a_line_for_each_row(finished, videos):
  rows = read_lines(finished[0] / 'features.manifest.jsonl')
  assert [row['path'] for row in rows] == [
    'jump/0.mp4',
    'jump/1.avi',
    'jump/3.mkv',
    'jump/4.webm',
    'run/5.mp4',
    'run/6.avi',
    'run/7.MOV',
    'run/8.mkv',
  ]
  for number, row in zip([0, 1, 3, 4, 5, 6, 7, 8], rows):
    assert row['backbone'] == 'efficientnet_lite0' and len(row['hash']) == 32
    assert row['labels'] == [row['path'].split('/')[0]]
    assert row['duration'] == pytest.approx((4 + number) / 10, abs=2e-3)
    assert len(row['frame_times']) == FRAMES
    assert row['width'] > row['height'] > 0
  assert len({row['hash'] for row in rows}) == 8


def test_bad_files_are_listed_with_reasons(finished, videos):
  folder, result = finished
  rows = read_lines(folder / 'features.skipped.jsonl')
  assert [row['path'] for row in rows] == ['jump/2.MOV', 'run/9.mp4']
  for row in rows:
    assert row['error'].startswith(str(videos / row['path']))
    assert f'bad: {row["error"]}' in result.stderr
  assert 'Traceback' not in result.stderr


def test_a_name_that_is_not_utf_8_is_skipped(clip, tmp_path):
  """Else the manifest could be neither indexed nor sent by the service."""
  good = clip(tmp_path / 'videos' / 'good.mp4')
  try:
    shutil.copy(good, os.fsencode(tmp_path / 'videos') + b'/b\xff.mp4')
  except OSError:
    pytest.skip('file names are UTF-8 here')
  result = run(tmp_path / 'videos', tmp_path / 'f.h5')
  assert result.returncode == 0, result.stderr
  assert result.stdout.startswith('1 added, 1 bad')
  assert r'b\udcff.mp4: its name is not UTF-8' in result.stderr
  (row,) = read_lines(tmp_path / 'f.manifest.jsonl')
  assert row['path'] == 'good.mp4'
  (row,) = read_lines(tmp_path / 'f.skipped.jsonl')
  assert row['path'] == 'b\udcff.mp4' and row['error'].endswith('rename it.')
  again = run(tmp_path / 'videos', tmp_path / 'f.h5')
  assert again.stdout.startswith('1 known, 1 bad')


def test_no_video_that_can_be_read(tmp_path):
  (tmp_path / 'a.mp4').write_text('no video')
  result = run(tmp_path, tmp_path / 'f.h5')
  assert result.returncode == 1
  assert 'none of its 1 videos could be read' in result.stderr
  assert sorted(contents(tmp_path)) == ['a.mp4']


@pytest.mark.parametrize(
  'flags, message',
  [
    ((), 'required: --videos, --out'),
    (('--videos=V', '--out=f.npy'), '--out=f.npy: expected a name'),
    (('--videos=V', '--out=no/f.h5'), 'the folder no is missing'),
    (('--videos=V', '--out=f.h5'), '--videos=V: no such folder'),
    (('--videos=V', '--out=f.h5', '--shard=4/4'), '0/4 to 3/4'),
    (('--videos=V', '--out=f.h5', '--shard=1'), '0/4 to 3/4'),
    (('--videos=V', '--out=f.h5', '--shard=0/' + '9' * 5000), '0/4 to 3/4'),
    (('--videos=V', '--out=f.h5', '--num_frames=0'), "num_frames: '0'"),
    (('--videos=V', '--out=f.h5', '--backbone=x'), 'expected one of eff'),
    (('--videos=V', '--out=f.h5', '--size=8'), '--size=8 needs'),
    (('--videos=V', '--out=f.h5', '--precision=half'), '--precision=half'),
    (('--videos=V', '--out=f.h5', '--label_names=n'), 'needs --labels=folders'),
  ],
)
def test_bad_flags(tmp_path, monkeypatch, flags, message):
  monkeypatch.chdir(tmp_path)
  with pytest.raises(errors.UserError, match=message):
    extract.main(flags)
  assert not list(tmp_path.iterdir())


@pytest.mark.parametrize('value', [7, [1, 2], '[1]', '"a"', '{', b'\xff', None])
def test_another_s_file_is_said_and_kept(videos, tmp_path, value):
  out = tmp_path / 'f.h5'
  if value is None:
    out.write_text('mine')
  else:
    with h5py.File(out, 'w') as file:
      file.attrs['extraction'] = value
  before = contents(tmp_path)
  with pytest.raises(errors.UserError, match='no extraction of this version'):
    extract.main([f'--videos={videos}', f'--out={out}'])
  assert contents(tmp_path) == before


@pytest.mark.parametrize(
  ('missing', 'flags', 'words'),
  [
    (None, ['--weights=none.h5'], 'no such file'),
    # Else every video would be skipped.
    ('PIL.Image', [], r"'nph-jax\[video\]'"),
  ],
)
def test_what_is_missing_leaves_nothing(
  videos, tmp_path, monkeypatch, missing, flags, words
):
  if missing:
    monkeypatch.setitem(sys.modules, missing, None)
  with pytest.raises(errors.UserError, match=words):
    extract.main([f'--videos={videos}', f'--out={tmp_path / "f.h5"}', *flags])
  assert not list(tmp_path.iterdir())


def test_a_video_too_narrow_is_named(clip, tmp_path):
  path = clip(tmp_path / 'strip.mkv', 2, size=(2, 400))
  with pytest.raises(errors.UserError, match=f'^{path}: frames of 400 x 2'):
    tasks.decode(tasks.Task(str(path), 'vgg16', 2))
