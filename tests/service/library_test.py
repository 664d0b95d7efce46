"""Which files are served, kept and removed, and what stands in for one."""

from __future__ import annotations

import io

import numpy as np
import pytest

from nph_jax import errors
from nph_jax.index import video_index
from nph_jax.service import library, views

NAME = f'{0:032x}.mp4'


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


def test_links_that_lead_out_are_followed_when_asked(tmp_path):
  (tmp_path / 'secret.mp4').write_bytes(b'film')
  (tmp_path / 'videos').mkdir()
  (tmp_path / 'videos' / 'link.mp4').symlink_to(tmp_path / 'secret.mp4')
  (tmp_path / 'videos' / 'folder').symlink_to(tmp_path)
  for follow in (True, False):
    found = library.Library(tmp_path / 'videos', tmp_path / 'kept', follow)
    for name in ('link.mp4', 'folder/secret.mp4'):
      expected = tmp_path / 'secret.mp4' if follow else None
      assert found.find({'path': name}) == expected
      assert found.leads_out({'path': name}) != follow
    for name in ('../secret.mp4', 'folder/../../secret.mp4', '/etc/passwd'):
      assert found.find({'path': name}) is None
      assert not found.leads_out({'path': name})


def test_what_a_killed_service_left_is_deleted(tmp_path):
  """Whether it was adding or removing: a file that no record names."""
  videos = library.Library(None, tmp_path / 'kept')
  hashes = [f'{n:032x}' for n in range(3)]
  names = [videos.keep(io.BytesIO(b'film'), f'{x}.mp4') for x in hashes]
  other = tmp_path / 'kept' / 'notes.txt'
  other.write_text('of the operator')
  with video_index.VideoIndex.create(
    tmp_path / 'index', 8, keep_relaxed=False
  ) as index:
    metadata = [{'hash': hashes[0]}, {'hash': hashes[1]}, {'hash': ['x']}]
    ids = index.add(np.zeros((3, 1), np.uint8), metadata)
    assert library.recover(videos, index) == 1
    assert videos.kept() == set(names[:2])
    index.remove(ids[1:2])
    assert library.recover(videos, index) == 1
    assert library.recover(videos, index) == 0
  assert videos.kept() == {names[0]} and other.exists()
  found = videos.find({'stored': names[0]})
  assert found == tmp_path / 'kept' / names[0]
  assert found.read_bytes() == b'film'


def test_without_added_videos_the_index_is_not_read(tmp_path):
  assert library.recover(library.Library(None, tmp_path / 'none'), None) == 0


def test_names_of_kept_videos_are_durable(tmp_path, monkeypatch):
  synced = []
  monkeypatch.setattr(library.atomic, 'sync_folder', synced.append)
  kept = tmp_path / 'index' / 'videos'
  videos = library.Library(None, kept)
  videos.keep(io.BytesIO(b'film'), NAME)
  assert synced == [tmp_path / 'index', kept]
  videos.keep(io.BytesIO(b'film'), NAME)
  assert synced[2:] == [kept]


def test_a_full_disk_keeps_nothing(tmp_path, monkeypatch):
  videos = library.Library(None, tmp_path / 'kept')

  def full(*_):
    raise OSError(28, 'No space left on device')

  monkeypatch.setattr(library.shutil, 'copyfileobj', full)
  with pytest.raises(errors.UserError, match='disk is full'):
    videos.keep(io.BytesIO(b'film'), NAME)
  assert videos.kept() == set()


def test_a_folder_of_videos_has_to_be_one(tmp_path):
  with pytest.raises(errors.UserError, match='is no folder'):
    library.Library(tmp_path / 'none', tmp_path)


def test_paths_are_shown_below_the_videos_alone(tmp_path):
  found = library.Library(tmp_path, tmp_path / 'kept')
  inside = found.public({'path': f'{tmp_path}/a/film.mp4', 'stored': 'y'})
  assert inside == {'path': 'a/film.mp4'}
  assert found.public({'path': '/data/x/film.mp4'}) == {'path': 'film.mp4'}
  nowhere = library.Library(None, tmp_path / 'kept')
  assert nowhere.public({'path': '/data/x/film.mp4'}) == {'path': 'film.mp4'}


@pytest.mark.parametrize('num_bits', [8, 32, 64, 136, 1024])
def test_placeholders_show_every_bit(num_bits):
  code = np.random.default_rng(0).integers(0, 256, num_bits // 8, np.uint8)
  svg = views.placeholder(code).decode()
  assert svg.count('<rect') == num_bits
  assert '-' not in svg.replace('fill-opacity', '')
