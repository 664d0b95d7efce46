"""Which files are served, kept and removed, and what stands in for one."""

from __future__ import annotations

import pytest

pytest.importorskip('fastapi')
pytest.importorskip('av')
pytest.importorskip('httpx')

import numpy as np

from nph_jax import errors
from nph_jax.index import video_index
from nph_jax.service import library, pictures


@pytest.mark.parametrize(
  'path',
  [
    '../secret.mp4',
    '../../../../../../etc/passwd',
    '/etc/passwd',
    'link.mp4',
    'folder/secret.mp4',
    'a\0b.mp4',
    'missing.mp4',
    '.',
    '',
    7,
    'loop.mp4',
    'n' * 5000,
  ],
)
def test_no_path_leads_out_of_the_videos(tmp_path, path):
  (tmp_path / 'secret.mp4').write_bytes(b'secret')
  videos = tmp_path / 'videos'
  videos.mkdir()
  (videos / 'link.mp4').symlink_to(tmp_path / 'secret.mp4')
  (videos / 'folder').symlink_to(tmp_path)
  (videos / 'loop.mp4').symlink_to(videos / 'loop.mp4')
  found = library.Library(videos, tmp_path / 'kept')
  assert found.find({'path': path}) is None
  for name in ('../secret.mp4', str(path), f'{"0" * 32}.mp4/../../secret.mp4'):
    assert found.find({'stored': name}) is None


def test_links_inside_the_videos_are_followed(tmp_path):
  (tmp_path / 'real.mp4').write_bytes(b'film')
  (tmp_path / 'link.mp4').symlink_to(tmp_path / 'real.mp4')
  found = library.Library(tmp_path, tmp_path / 'kept')
  assert found.find({'path': 'link.mp4'}) == tmp_path / 'real.mp4'


def test_a_killed_addition_is_settled_or_undone(tmp_path):
  kept = tmp_path / 'kept'
  videos = library.Library(None, kept)
  upload = tmp_path / 'upload'
  upload.write_bytes(b'film')
  recorded, orphan = videos.keep(upload, '.mp4'), videos.keep(upload, '.mp4')
  with video_index.VideoIndex.create(tmp_path / 'index', 8) as index:
    t = np.zeros((1, 8), np.float32)
    index.add(np.zeros((1, 1), np.uint8), [{'stored': recorded}], t)
    assert videos.find({'stored': recorded}) is not None
    assert library.recover(videos, index) == 2
    assert library.recover(videos, index) == 0
  assert videos.find({'stored': recorded}) == kept / recorded
  assert videos.find({'stored': orphan}) is None
  assert not list((kept / 'adding').iterdir())


def test_what_a_killed_removal_left_is_deleted(tmp_path):
  videos = library.Library(None, tmp_path / 'kept')
  upload = tmp_path / 'upload'
  upload.write_bytes(b'film')
  names = [videos.keep(upload, '.mp4') for _ in range(2)]
  for name in names:
    videos.settle(name)
  other = tmp_path / 'kept' / 'notes.txt'
  other.write_text('of the operator')
  with video_index.VideoIndex.create(
    tmp_path / 'index', 8, keep_relaxed=False
  ) as index:
    metadata = [{'stored': names[0]}, {'stored': names[1]}, {'stored': ['x']}]
    ids = index.add(np.zeros((3, 1), np.uint8), metadata)
    assert library.recover(videos, index) == 0
    index.remove(ids[1:2])
    assert library.recover(videos, index) == 1
    assert library.recover(videos, index) == 0
  assert videos.settled() == [names[0]] and other.exists()
  assert videos.find({'stored': names[0]}) is not None


def test_without_added_videos_the_index_is_not_read(tmp_path):
  assert library.recover(library.Library(None, tmp_path / 'none'), None) == 0


def test_names_of_kept_videos_are_durable(tmp_path, monkeypatch):
  synced = []
  monkeypatch.setattr(library.atomic, 'sync_folder', synced.append)
  kept = tmp_path / 'index' / 'videos'
  videos = library.Library(None, kept)
  upload = tmp_path / 'upload'
  upload.write_bytes(b'film')
  name = videos.keep(upload, '.mp4')
  assert synced == [tmp_path / 'index', kept, kept / 'adding']
  videos.settle(name)
  assert synced[3:] == [kept]
  videos.keep(upload, '.mp4')
  assert synced[4:] == [kept / 'adding']


def test_a_full_disk_keeps_nothing(tmp_path, monkeypatch):
  videos = library.Library(None, tmp_path / 'kept')
  upload = tmp_path / 'upload'
  upload.write_bytes(b'film')

  def full(*_):
    raise OSError(28, 'No space left on device')

  monkeypatch.setattr(library.shutil, 'copyfileobj', full)
  with pytest.raises(errors.UserError, match='disk is full'):
    videos.keep(upload, '.mp4')
  assert videos.unsettled() == []


def test_a_folder_of_videos_has_to_be_one(tmp_path):
  with pytest.raises(errors.UserError, match='is no folder'):
    library.Library(tmp_path / 'none', tmp_path)


def test_absolute_paths_stay_here():
  assert library.public({'path': '/data/x/film.mp4', 'stored': 'y'}) == {
    'path': 'film.mp4'
  }


@pytest.mark.parametrize('num_bits', [8, 32, 64, 136, 1024])
def test_placeholders_show_every_bit(num_bits):
  code = np.random.default_rng(0).integers(0, 256, num_bits // 8, np.uint8)
  svg = pictures.placeholder(code).decode()
  assert svg.count('<rect') == num_bits
  assert '-' not in svg.replace('fill-opacity', '')
