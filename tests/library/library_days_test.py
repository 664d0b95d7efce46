"""A library through its days, on files of library_toy."""

import os
import shutil

import numpy as np
import pytest

from nph_jax import errors
from nph_jax.index import VideoIndex
from nph_jax.library import codes, following
from nph_jax.library import library as library_lib


@pytest.fixture
def places(tmp_path, toy):
  """A folder of five videos and that of a library of them."""
  videos, library = tmp_path / 'videos', tmp_path / 'library'
  toy.write(videos, *(f'x/{n}.mp4' for n in range(3)), 'y/3.avi', 'y/4.avi')
  assert toy.add(library, videos).counts == {'added': 5}
  return videos, library


def test_a_second_day_extracts_what_is_new_and_keeps_ids(
  toy, places, monkeypatch
):
  videos, library = places
  before, extracted = toy.check(library), []

  def run(videos, *others):
    extracted.extend(os.path.basename(video.path) for video in videos)
    toy.run(videos, *others)

  monkeypatch.setattr('nph_jax.library.extraction.run', run)
  toy.write(videos, 'y/5.mp4')
  toy.write(videos, 'x/0.mp4', text='other text')
  os.rename(videos / 'x' / '1.mp4', videos / 'x' / 'moved.mp4')
  shutil.copy(videos / 'x' / '2.mp4', videos / 'x' / 'copy.mp4')
  counts = toy.add(library, videos).counts
  assert counts == {'added': 2, 'changed': 1, 'known': 3, 'moved': 1}
  assert sorted(extracted) == ['0.mp4', '5.mp4']
  after = toy.check(library)
  assert sorted(after.values()) == list(range(7))
  before[str(videos / 'x/moved.mp4')] = before.pop(str(videos / 'x/1.mp4'))
  assert before.items() < after.items()


def test_a_file_that_turns_bad_leaves_the_index(toy, places):
  videos, library = places
  toy.write(videos, 'x/0.mp4', text='bad')
  report = toy.add(library, videos)
  assert list(report.bad) == [str(videos / 'x/0.mp4')]
  assert str(videos / 'x/0.mp4') not in toy.check(library)
  assert list(toy.add(library, videos).bad) == list(report.bad)
  toy.write(videos, 'x/0.mp4', text='good again')
  toy.add(library, videos)
  assert len(toy.check(library)) == 5


def test_gone_files_stay_until_they_are_pruned(toy, places):
  videos, library = places
  os.remove(videos / 'x' / '0.mp4')
  report = toy.add(library, videos)
  assert report.gone == [str(videos / 'x/0.mp4')]
  assert len(toy.paths(library)) == 5
  toy.add(library, videos, prune=True)
  assert len(toy.check(library)) == 4
  assert toy.add(library, videos).gone == []


def test_an_empty_folder_is_not_pruned(toy, places):
  """It may be where a disk is not mounted."""
  videos, library = places
  shutil.rmtree(videos)
  videos.mkdir()
  with pytest.raises(errors.UserError, match='holds no video'):
    toy.add(library, videos, prune=True)
  assert len(toy.add(library, videos).gone) == len(toy.paths(library)) == 5


def test_what_someone_took_out_of_the_index_stays_out_unless_named(toy, places):
  videos, library = places
  with VideoIndex.open(library) as index:
    index.remove(np.array([2]))
  assert toy.add(library, videos).counts == {'known': 4, 'removed': 1}
  assert len(toy.paths(library)) == 4
  toy.add(library, videos / 'x' / '2.mp4')
  assert toy.paths(library)[2] == str(videos / 'x/2.mp4')


def test_labels_are_folders_and_can_be_had_later(toy, places):
  videos, library = places
  toy.write(videos, 'top.mp4')
  toy.add(library, videos, labels='folders')
  with library_lib.Library(library, 'read') as opened:
    labels = [about['labels'] for _, about in opened.items()]
  assert labels == [['x']] * 3 + [['y']] * 2 + [['videos']]
  toy.check(library)


def test_codes_are_the_starters_then_the_librarys_own_at_each_doubling(
  toy, places
):
  videos, library = places
  learned = []
  for count in (11, 12, 24):
    toy.write(videos, *(f'x/{n}.mp4' for n in range(count - 2)))
    report = toy.add(library, videos)
    learned.append(bool(report.taught))
    ids = toy.check(library)
    assert len(ids) == count
  assert learned == [False, True, True]
  assert len(list((library / 'codes').iterdir())) <= 2
  with library_lib.Library(library, 'change') as opened:
    assert codes.learned_from(opened.hasher) == 24
    assert opened.hasher.manifest['method'] == 'itq_neighbors'
    before = opened.index.ids().tolist()
    assert '24 videos' in following.learn(opened, force=True)
    assert opened.index.ids().tolist() == before


def test_a_given_bundle_stays(toy, places, tmp_path):
  videos, library = places
  with library_lib.Library(library, 'read') as opened:
    digest = opened.hasher.digest
    bundle = tmp_path / 'bundle'
    shutil.copytree(codes.path_of(library, digest), bundle)
  # As a training writes it: nothing in it speaks of a library.
  manifest = bundle / 'manifest.json'
  text = manifest.read_text().replace('"library_videos"', '"other"')
  manifest.write_text(text)
  other = tmp_path / 'other'
  toy.write(videos, *(f'x/{n}.mp4' for n in range(30)))
  assert toy.add(other, videos, bundle=str(bundle)).taught is None
  toy.check(other)
  with (
    library_lib.Library(other, 'change') as opened,
    pytest.raises(errors.UserError, match='given for good'),
  ):
    following.learn(opened, force=True)


def test_a_network_without_starter_learns_at_once(toy, tmp_path, monkeypatch):
  monkeypatch.setattr(codes, 'starter', lambda *_: None)
  toy.write(tmp_path / 'a', '0.mp4')
  with pytest.raises(errors.UserError, match='2 videos or more'):
    toy.add(tmp_path / 'library', tmp_path / 'a')
  toy.write(tmp_path / 'a', '1.mp4', '2.mp4')
  toy.add(tmp_path / 'library', tmp_path / 'a')
  assert len(toy.check(tmp_path / 'library')) == 3


def test_uploads_get_codes_too_and_keep_their_ids(toy, places):
  videos, library = places
  with library_lib.Library(library, 'change') as opened:
    _upload(opened, toy, 'f' * 32 + '.mp4')
  toy.write(videos, *(f'x/{n}.mp4' for n in range(12)))
  assert toy.add(library, videos).taught
  with library_lib.Library(library, 'read') as opened:
    (upload,) = opened.uploads()
    file = next(x for x in opened.videos() if x.video == upload)
    code = opened.hasher.encode(opened.store.frames([file]))[0]
    np.testing.assert_array_equal(opened.index.get(upload)[0], code)
    assert opened.metadata(file) == opened.index.get(upload)[2]
    assert len(opened.index) == 15 and upload == 5
  with library_lib.Library(library, 'change') as opened:
    opened.index.remove(np.array([upload]))
  (library / 'videos' / ('f' * 32 + '.mp4')).unlink()
  toy.add(library, videos)
  assert len(toy.check(library)) == 14


def _upload(opened, toy, name):
  """What the service does with an upload."""
  toy.write(opened.folder / 'videos', name)
  frames = toy.features(opened.folder / 'videos' / name)
  code, t = opened.hasher.encode_relaxed(frames[None])
  opened.index.add(code, [{'stored': name, 'labels': ['mine']}], t)


def test_an_id_that_the_page_took_meanwhile_is_the_pages(
  toy, places, monkeypatch
):
  """Killed between the choice of an id and its use."""
  videos, library = places
  toy.write(videos, 'x/5.mp4')
  with monkeypatch.context() as patch:
    patch.setattr(following, '_add', None)
    with pytest.raises(TypeError):
      toy.add(library, videos)
  with library_lib.Library(library, 'change') as opened:
    _upload(opened, toy, 'f' * 32 + '.mp4')
    assert [*opened.uploads()] == [5]
  toy.add(library, videos)
  with library_lib.Library(library, 'read') as opened:
    assert [*opened.uploads()] == [5]
    assert opened.index.get(6)[2]['path'] == str(videos / 'x/5.mp4')


def test_videos_without_features_here_hold_new_codes_up(toy, places):
  videos, library = places
  with library_lib.Library(library, 'change') as opened:
    code, t, _ = opened.index.get(0)
    opened.index.add(code[None], None, t[None])
  toy.write(videos, *(f'x/{n}.mp4' for n in range(12)))
  assert 'of 1 videos there are no features' in toy.add(library, videos).taught
  with library_lib.Library(library, 'read') as opened:
    assert codes.learned_from(opened.hasher) == 0
    assert len(opened.index) == 15


def test_a_first_add_that_is_refused_leaves_nothing(toy, tmp_path):
  library, videos = tmp_path / 'library', tmp_path / 'videos'
  videos.mkdir()
  with pytest.raises(errors.UserError, match='holds no video'):
    toy.add(library, videos)
  assert not library.exists()
  library.mkdir()  # a folder of the user's stays
  with pytest.raises(errors.UserError, match='holds no video'):
    toy.add(library, videos, backbone='vgg16')
  with pytest.raises(errors.UserError, match='holds no video yet'):
    library_lib.Library(library, 'read')
  with library_lib.Library(library) as opened:
    assert opened.store.settings['backbone'] == 'vgg16'
  toy.write(videos, '0.mp4')
  toy.add(library, videos)
  with library_lib.Library(library, 'read') as opened:
    assert opened.store.settings['backbone'] == 'toy'


def test_an_index_of_another_kind_is_left_alone(toy, tmp_path):
  toy.write(tmp_path / 'a', '0.mp4')
  with VideoIndex.create(tmp_path / 'index', 8, keep_relaxed=False) as index:
    index.add(np.zeros((1, 1), np.uint8), None)
  with pytest.raises(errors.UserError, match='did not make'):
    toy.add(tmp_path / 'index', tmp_path / 'a')
  toy.write(tmp_path / 'full', 'note.txt')
  with pytest.raises(errors.UserError, match='other files'):
    toy.add(tmp_path / 'full', tmp_path / 'a')
  with pytest.raises(errors.UserError, match='no library is there'):
    library_lib.Library(tmp_path / 'missing', 'read')


def test_search_ranks_by_t_where_codes_are_of_moments(toy, places):
  _, library = places
  with library_lib.Library(library, 'read') as opened:
    t = np.stack([opened.index.get(video)[1] for video in range(5)])
    unit = t / np.linalg.norm(t, axis=1, keepdims=True)
    code, query, _ = opened.index.get(1)
    expected = np.argsort(-(unit @ unit[1]), kind='stable')
    found = opened.search(code, query, 5)
  assert [hit.id for hit in found] == expected.tolist()
