"""Which files count as videos, their order, shards and labels."""

import json
import os

import numpy as np
import pytest

from nph_jax import errors
from nph_jax.extraction import files


def tree(folder, *names):
  for name in names:
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(b'x')
  return str(folder)


def names(folder):
  """Of the videos below a folder."""
  return [files.name_below(x.path, folder) for x in files.find(str(folder))[0]]


def test_any_tree_any_case_in_order(tmp_path):
  folder = tree(
    tmp_path,
    'b/2.MP4',
    'b/10.avi',
    'a/deep/er/x.WebM',
    'z.mkv',
    'c.mov',
    'notes.txt',
    'mp4',
    '._b.mp4',
    '.hidden/a.mp4',
  )
  expected = ['a/deep/er/x.WebM', 'b/10.avi', 'b/2.MP4', 'c.mov', 'z.mkv']
  assert names(folder) == expected
  assert files.find(folder)[1] == {'.txt': 1, 'none': 1}


def test_videos_are_known_by_their_content(tmp_path):
  heads = {
    'phone': b'\0\0\0\x18ftypisom',
    'camera.MTS': b'',
    'program.ts': b'const x = 1;\n' * 99,
    'stream.ts': (b'G' + bytes(187)) * 3,
    'blu.dat': (bytes(4) + b'G' + bytes(187)) * 3,
    'dvd': b'\0\0\1\xba',
    'old.bin': b'RIFF\0\0\0\0AVI LIST',
    'voice.riff': b'RIFF\0\0\0\0WAVEfmt ',
    'song': b'\0\0\0\x18ftypM4A ',
    'photo.heic': b'\0\0\0\x18ftypheic',
    'still.webp': b'RIFF\0\0\0\0WEBPVP8 ' + bytes(9),
    'moving.webp': b'RIFF\0\0\0\0WEBPVP8X\n\0\0\0\2' + bytes(9),
    'still.gif': b'GIF89a' + bytes(99),
    'moving.gif': b'GIF89a' + bytes(99) + b'!\xff\x0bNETSCAPE2.0',
    'voice.ogg': b'OggS' + bytes(24) + b'\1vorbis',
    'film.ogg': b'OggS' + bytes(24) + b'\x80theora',
    'film.unknown': b'\x1aE\xdf\xa3',
    'empty': b'',
    'letter.txt': b'to all',
  }
  for name, head in heads.items():
    (tmp_path / name).write_bytes(head)
  (tmp_path / 'gone.gif').symlink_to('nowhere')
  assert names(tmp_path) == [
    'blu.dat',
    'camera.MTS',
    'dvd',
    'film.ogg',
    'film.unknown',
    'gone.gif',
    'moving.gif',
    'moving.webp',
    'old.bin',
    'phone',
    'stream.ts',
  ]


def test_folders_of_systems_are_passed_over(tmp_path):
  folder = tree(
    tmp_path, '@eaDir/a.mp4', 'x/#recycle/a.mp4', '__MACOSX/a.mp4', 'x/a.mp4'
  )
  assert names(folder) == ['x/a.mp4']


def test_links_are_followed_once(tmp_path):
  tree(tmp_path, 'real/a/1.mp4', 'videos/b/2.mp4')
  (tmp_path / 'videos' / 'linked').symlink_to(tmp_path / 'real')
  (tmp_path / 'videos' / 'b' / 'loop').symlink_to(tmp_path / 'videos')
  assert names(tmp_path / 'videos') == ['b/2.mp4', 'linked/a/1.mp4']


def test_a_dangling_link_is_a_video_to_be_reported(tmp_path):
  (tmp_path / 'a.mp4').symlink_to(tmp_path / 'nowhere.mp4')
  assert names(tmp_path) == ['a.mp4']


def test_names_that_are_not_utf_8(tmp_path):
  (tmp_path / os.fsdecode(b'\xff.mp4')).write_bytes(b'x')
  ((video,), _) = files.find(str(tmp_path))
  assert json.loads(json.dumps(video.path)) == video.path
  assert not files.is_text(video.path)


def test_each_video_is_in_one_shard():
  names = [f'{i}.mp4' for i in range(99)] + [os.fsdecode(b'\xff.mp4')]
  parts = [[x for x in names if files.in_shard(x, i, 3)] for i in range(3)]
  assert sorted(sum(parts, [])) == sorted(names)
  assert all(20 < len(part) < 50 for part in parts)


def test_labels_are_the_leaf_folders(tmp_path, monkeypatch):
  monkeypatch.chdir(tmp_path)
  labels = [files.label_of(x) for x in ('x/run/1.mp4', 'y/jump/2.avi', 'a.mp4')]
  assert labels == ['run', 'jump', tmp_path.name]
  names = files.label_names(['run', 'jump', 'run'], None)
  assert names == ['jump', 'run']
  np.testing.assert_array_equal(
    files.multi_hot(['run', 'run', 'jump'], names), [[0, 1], [0, 1], [1, 0]]
  )


def test_given_names_fix_the_columns(tmp_path):
  given = tmp_path / 'names.json'
  given.write_text('["swim", "run"]')
  assert files.label_names(['run'], str(given)) == ['swim', 'run']
  given.write_text('["swim"]')
  with pytest.raises(errors.UserError, match="lacks the label 'run'"):
    files.label_names(['run'], str(given))
  for text in ('{}', '[1]', '["a", "a"]', 'nothing'):
    given.write_text(text)
    with pytest.raises(errors.UserError, match='JSON list'):
      files.label_names(['run'], str(given))
