"""Segments of a library's videos through its days, on files of library_toy."""

import os
import shutil
import sqlite3

import numpy as np
import pytest

from nph_jax.library import commands, following
from nph_jax.library import library as library_lib


@pytest.fixture
def places(tmp_path, toy):
  """A folder of four videos and that of a library with their segments."""
  videos, library = tmp_path / 'videos', tmp_path / 'library'
  toy.write(videos, *(f'x/{n}.mp4' for n in range(3)), 'y/3.avi')
  assert toy.add(library, videos, segments=10.0).counts == {'added': 4}
  toy.check(library)
  return videos, library


@pytest.mark.parametrize('length', [10.0, 'auto'])
def test_segments_keep_up_with_their_videos(toy, places, length):
  """A day each: toy.check compares the segments too."""
  videos, library = places
  toy.add(library, videos, segments=length)
  before = toy.check(library)
  toy.write(videos, 'y/4.mp4', 'x/0.mp4', text='a new text')
  os.rename(videos / 'x/1.mp4', videos / 'x/moved.mp4')
  shutil.copy(videos / 'x/2.mp4', videos / 'x/copy.mp4')
  counts = toy.add(library, videos).counts
  assert counts == {'added': 2, 'known': 2, 'changed': 1, 'moved': 1}
  after = toy.check(library)
  assert after[str(videos / 'x/moved.mp4')] == before[str(videos / 'x/1.mp4')]
  os.remove(videos / 'x/2.mp4')
  toy.write(videos, 'y/3.avi', text='bad')
  toy.write(videos, *(f'z/{n}.mp4' for n in range(9)))
  assert toy.add(library, videos, prune=True).taught
  assert len(toy.check(library)) == 13
  with library_lib.Library(library, 'change') as opened:
    following.learn(opened, force=True)
  assert len(toy.check(library)) == 13


def test_another_length_cuts_the_videos_anew_and_keeps_ids(
  toy, places, monkeypatch
):
  videos, library = places
  before = toy.check(library)
  report = toy.add(library, videos, segments=5.0)
  assert report.counts == {'known': 4}
  assert toy.check(library) == before
  monkeypatch.setattr('nph_jax.library.extraction.run', None)
  assert toy.add(library, videos, segments=5.0).counts == {'known': 4}
  toy.add(library, videos, segments=0.0)
  assert toy.check(library) == before
  with library_lib.Library(library, 'read') as opened:
    assert opened.store.segments(opened.videos()[0]) is None


def test_a_library_that_was_there_gets_segments_and_what_was_taken_out_not(
  toy, tmp_path
):
  videos, library = tmp_path / 'videos', tmp_path / 'library'
  toy.write(videos, 'x/0.mp4', 'x/1.mp4', 'x/2.mp4')
  toy.add(library, videos)
  database = sqlite3.connect(library / 'index.sqlite')
  names = "SELECT count(*) FROM sqlite_master WHERE name = 'segments'"
  assert database.execute(names).fetchone() == (0,)
  database.close()
  with library_lib.Library(library, 'change') as opened:
    assert not opened.index.has_segments()
    opened.index.remove(np.array([1]))
  counts = toy.add(library, videos, segments=10.0).counts
  assert counts == {'known': 2, 'removed': 1}
  assert set(toy.check(library).values()) == {0, 2}


def test_uploads_are_cut_by_the_next_addition(toy, places):
  videos, library = places
  name = 'f' * 32 + '.mp4'
  toy.write(library / 'videos', name)
  with library_lib.Library(library, 'change') as opened:
    frames = toy.features(library / 'videos' / name)
    code, t = opened.hasher.encode_relaxed(frames[None])
    about = {'stored': name, 'duration': 61.0}
    opened.index.add(code, [about], t)
    # As the page does, which may call the folder something else.
    path = os.path.join(library, '.', 'videos', name)
    opened.store.put(path, (0, 0), about, frames, 4)
    # Until then it is found as a whole.
    best, *others = opened.moments(frames, {'duration': 61.0}, 9)
    assert (best.id, best.start, len(others)) == (4, None, 4)
    assert best.score > 0.999
  toy.add(library, videos)
  with library_lib.Library(library, 'read') as opened:
    assert [*opened.uploads()] == [4]
    toy.check_segments(opened, opened.videos())


def test_a_clip_is_found_where_its_frames_are(toy, places):
  videos, library = places
  path = videos / 'x' / '1.mp4'
  with library_lib.Library(library, 'read') as opened:
    frames = toy.segments(path, 10.0)[1:4]
    best, *others = opened.moments(frames, {'duration': 30.0}, 9)
    assert best.metadata['path'] == str(path) and len(others) == 3
    assert best.score > max(hit.score for hit in others)
    # Their middles are at 15, 25 and 35 s.
    assert best.start == pytest.approx(10.0, abs=5) and best.end > 30
    assert best.score > 0.999
    (hit,) = opened.moments(frames, {'duration': 30.0}, 9, {'path': str(path)})
    assert (hit.id, hit.start) == (best.id, best.start)


def test_scores_are_cosines_of_the_frames_that_meet(toy, places):
  videos, library = places
  names = 'x/0.mp4', 'x/1.mp4', 'x/2.mp4', 'y/3.avi'
  rows = {x: toy.segments(videos / y, 10.0) for x, y in enumerate(names)}
  mean = np.concatenate([*rows.values()]).astype(np.float64).mean(axis=0)
  clip = toy.features(videos / names[3]) + np.float16(0.1)
  with library_lib.Library(library, 'read') as opened:
    hits = opened.moments(clip, {'duration': 30.0}, 4)
  assert sorted(hit.id for hit in hits) == [0, 1, 2, 3]
  for hit in hits:
    cosines = []
    for number, row in enumerate(rows[hit.id].astype(np.float64)):
      since = 10 * number + 5 - hit.start
      if 0 <= since < 30:  # the clip's three frames, 10 s each
        shown = clip[max(int(np.ceil(since / 10)) - 1, 0)]
        a, b = row - mean, shown.astype(np.float64) - mean
        cosines.append(a @ b / np.linalg.norm(a) / np.linalg.norm(b))
    assert hit.score == pytest.approx(np.mean(cosines), abs=1e-4)
  scores = [hit.score for hit in hits]
  assert scores == sorted(scores, reverse=True)


def test_search_prints_what_it_ranks_by(places, capsys):
  videos, library = places
  commands.search([str(videos / 'x' / '1.mp4'), f'--index={library}'])
  printed = capsys.readouterr().out
  assert 'by how like their frames are' in printed and 'bits' not in printed
  assert f'{videos}/x/0.mp4 from 0:0' in printed
