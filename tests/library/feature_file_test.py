"""A feature file through the days of its folder, on files of library_toy."""

import json
import os
import pathlib
import shutil

import h5py
import numpy as np
import pytest

from nph_jax import errors
from nph_jax.data import labels
from nph_jax.extraction import backbones, extracting, output
from nph_jax.library import feature_file, feature_rows, store


class Extraction:
  """In place of extracting.extract; cut before file number `cut_at`."""

  def __init__(self, toy):
    self._toy = toy
    self.cut_at, self.seen = None, []

  def __call__(self, options, videos, done):
    videos = videos[: self.cut_at]
    self.seen = [os.path.basename(video.path) for video in videos]
    self._toy.run(videos, {}, options, done)
    if self.cut_at is not None:
      self.cut_at = None
      raise KeyboardInterrupt


@pytest.fixture
def extraction(toy, monkeypatch):
  made = Extraction(toy)
  monkeypatch.setattr(extracting, 'extract', made)
  monkeypatch.setattr(backbones, 'feature_dim', lambda *_: toy.WIDTH)
  return made


@pytest.fixture
def videos(tmp_path, toy):
  folder = tmp_path / 'videos'
  toy.write(folder, *(f'x/{n}.mp4' for n in range(3)), 'y/3.avi', 'y/4.avi')
  return folder


def run(videos, out, *, shard=(0, 1), labels=None, num_frames=3, **others):
  given = {'label_names': None} | others
  options = extracting.Options('toy', None, 'float32', num_frames, 1, 60)
  job = feature_rows.Job(
    str(videos), out, options, labels=labels, shard=shard, **given
  )
  report, shape, _ = feature_file.run(job)
  assert shape[0] == len(read(out))
  return report


def read(out):
  """The features by name, checked against the manifest."""
  lines = output.beside(out, '.manifest.jsonl').read_text().splitlines()
  with h5py.File(out) as file:
    rows = file['feats'][:]
  return dict(zip([json.loads(x)['path'] for x in lines], rows, strict=True))


def check(videos, out, toy):
  """That every row is its file's; the names in order."""
  rows = read(out)
  for name, row in rows.items():
    np.testing.assert_array_equal(row, toy.features(videos / name))
  return list(rows)


def contents(folder):
  return {x.name: x.read_bytes() for x in folder.iterdir() if x.is_file()}


@pytest.fixture
def out(tmp_path, videos, extraction):
  """A finished file, with labels."""
  path = tmp_path / 'f.h5'
  assert run(videos, path, labels=True).counts == {'added': 5}
  return path


def test_the_next_day_extracts_what_is_new_behind_the_old(
  toy, videos, out, extraction
):
  before = check(videos, out, toy)
  toy.write(videos, 'a/5.mp4')
  toy.write(videos, 'x/0.mp4', text='other text')
  os.rename(videos / 'x/1.mp4', videos / 'x/moved.mp4')
  shutil.copy(videos / 'x/2.mp4', videos / 'x/copy.mp4')
  counts = {'known': 3, 'changed': 1, 'moved': 1, 'added': 2}
  assert run(videos, out).counts == counts
  assert sorted(extraction.seen) == ['0.mp4', '5.mp4']
  before[1] = 'x/moved.mp4'
  assert check(videos, out, toy) == [*before, 'a/5.mp4', 'x/copy.mp4']
  multi_hot = labels.read_labels([str(output.beside(out, '_labels.mat'))])
  assert multi_hot.argmax(1).tolist() == [1, 1, 1, 2, 2, 0, 1]
  assert sorted(contents(out.parent)) == [
    'f.h5', 'f.manifest.jsonl', 'f_labels.json', 'f_labels.mat'
  ]  # fmt: skip


def test_what_is_known_is_neither_extracted_nor_written(
  toy, videos, out, extraction
):
  def written():
    files = filter(pathlib.Path.is_file, out.parent.iterdir())
    return {x.name: (x.stat().st_ino, x.stat().st_mtime_ns) for x in files}

  before = written()
  os.utime(videos / 'x/0.mp4', ns=(1, 1))
  assert run(videos, out).counts == {'known': 5}
  assert extraction.seen == []
  run(videos, out)
  after = written()
  # The features know the file's new time.
  assert [x for x in before if after[x] != before[x]] == ['f.h5']


def test_a_file_that_turns_bad_leaves_until_it_is_good(
  toy, videos, out, extraction
):
  before = check(videos, out, toy)
  toy.write(videos, 'x/1.mp4', text='bad')
  bad = str(videos / 'x/1.mp4')
  assert list(run(videos, out).bad) == [bad]
  assert check(videos, out, toy) == [x for x in before if x != 'x/1.mp4']
  (line,) = output.beside(out, '.skipped.jsonl').read_text().splitlines()
  assert json.loads(line) == {'path': 'x/1.mp4', 'error': f'{bad}: is bad.'}
  assert list(run(videos, out).bad) == [bad] and extraction.seen == []
  run(videos, out, retry=True)
  assert extraction.seen == ['1.mp4']
  toy.write(videos, 'x/1.mp4', text='good again')
  assert not run(videos, out).bad
  assert check(videos, out, toy)[4] == 'x/1.mp4'
  assert not output.beside(out, '.skipped.jsonl').exists()


def test_gone_videos_stay_until_they_are_pruned(toy, videos, out, extraction):
  before = read(out)
  os.remove(videos / 'x/1.mp4')
  assert run(videos, out).gone == [str(videos / 'x/1.mp4')]
  np.testing.assert_array_equal([*read(out).values()], [*before.values()])
  run(videos, out, prune=True)
  assert check(videos, out, toy) == [x for x in before if x != 'x/1.mp4']
  assert run(videos, out).gone == []


def test_a_folder_that_was_moved_is_known(toy, videos, out, extraction):
  before, there = contents(out.parent), videos.with_name('elsewhere')
  videos.rename(there)
  assert run(there, out).counts == {'known': 5} and extraction.seen == []
  assert contents(out.parent) == before


@pytest.mark.parametrize('cut_at', [1, 2, 4])
@pytest.mark.parametrize('second_day', [False, True])
def test_a_cut_run_goes_on_whatever_came_since(
  toy, videos, out, extraction, tmp_path, cut_at, second_day
):
  """As if nothing had cut it, and without a file extracted twice."""
  (tmp_path / 'cut').mkdir()
  cut = tmp_path / 'cut' / 'f.h5'
  if second_day:
    shutil.copytree(tmp_path, tmp_path / 'cut', dirs_exist_ok=True,
                    ignore=lambda *_: ['videos', 'cut'])  # fmt: skip
    toy.write(videos, *(f'w/{n}.mp4' for n in range(4)), 'x/0.mp4', text='new')
  else:
    out.unlink()
  extraction.cut_at = cut_at
  with pytest.raises(KeyboardInterrupt):
    run(videos, cut, labels=True)
  done = extraction.seen
  assert output.beside(cut, '.partial').exists() and len(done) == cut_at
  toy.write(videos, 'v/first.mp4', 'x/2.mp4', text='since')
  os.rename(videos / 'y/3.avi', videos / 'y/later.avi')
  os.remove(videos / 'y/4.avi')
  run(videos, cut, prune=True, labels=True)
  assert not {*done} - {'2.mp4', '0.mp4'} & {*extraction.seen}
  run(videos, out, prune=True, labels=True)
  check(videos, cut, toy)
  assert contents(cut.parent) == contents(out.parent)


def test_killed_before_the_features_are_there_all_is_written_again(
  toy, videos, out, monkeypatch
):
  toy.write(videos, 'a/0.mp4')
  with monkeypatch.context() as patch:
    patch.setattr(output, '_write_features', None)
    with pytest.raises(TypeError):
      run(videos, out)
  run(videos, out)
  assert len(check(videos, out, toy)) == 6


@pytest.mark.parametrize(
  'name', ['.manifest.jsonl', '_labels.mat', '.skipped.jsonl']
)
def test_what_is_missing_beside_the_features_is_made_again(
  toy, videos, out, extraction, name
):
  toy.write(videos, 'x/5.mp4', text='bad')
  run(videos, out)
  before, path = contents(out.parent), output.beside(out, name)
  for damage in (path.unlink, lambda: path.write_text('{')):
    damage()
    run(videos, out)
    assert contents(out.parent) == before and extraction.seen in ([], ['5.mp4'])


def test_labels_are_as_before_unless_said(toy, videos, out, tmp_path):
  toy.write(videos, 'top.mp4')
  run(videos, out)
  names = output.beside(out, '_labels.json')
  assert json.loads(names.read_text()) == ['videos', 'x', 'y']
  run(videos, out, labels=False)
  run(videos, out)
  assert not names.exists() and not output.beside(out, '_labels.mat').exists()


def test_other_flags_are_refused(toy, videos, out, extraction, tmp_path):
  with pytest.raises(errors.UserError, match='--num_frames was 3 and is 4 now'):
    run(videos, out, num_frames=4)
  extraction.cut_at = 2
  with pytest.raises(KeyboardInterrupt):
    run(videos, tmp_path / 'cut.h5')
  before = contents(tmp_path)
  with pytest.raises(errors.UserError, match=r'cut\.partial: was begun with'):
    run(videos, tmp_path / 'cut.h5', num_frames=4)
  assert contents(tmp_path) == before


def test_a_run_without_results_leaves_nothing(
  toy, videos, extraction, tmp_path
):
  extraction.cut_at = 0
  with pytest.raises(KeyboardInterrupt):
    run(videos, tmp_path / 'f.h5')
  assert contents(tmp_path) == {}


def test_a_damaged_store_is_said_and_kept(toy, videos, extraction, tmp_path):
  extraction.cut_at = 2
  with pytest.raises(KeyboardInterrupt):
    run(videos, tmp_path / 'f.h5')
  with store.Store(tmp_path, alone='f.partial') as opened:
    opened.set(num_frames=9)
  damage = b'no database' * 1000
  (tmp_path / 'f.partial').write_bytes(damage)
  with pytest.raises(errors.UserError, match='damaged; delete it to begin'):
    run(videos, tmp_path / 'f.h5')
  assert contents(tmp_path) == {'f.partial': damage}


def test_shards_are_the_whole_and_a_new_video_is_in_one(
  toy, videos, out, extraction, tmp_path
):
  parts = [tmp_path / f'{number}.h5' for number in range(2)]
  for name in ('a/0.mp4', 'b/1.mp4'):
    toy.write(videos, name)
    before = [list(read(part)) if part.exists() else [] for part in parts]
    for number, part in enumerate(parts):
      run(videos, part, shard=(number, 2), labels=True)
      assert list(read(part))[: len(before[number])] == before[number]
  run(videos, out)
  assert sorted(sum((check(videos, x, toy) for x in parts), [])) == sorted(
    check(videos, out, toy)
  )
  names = [output.beside(x, '_labels.json').read_text() for x in (out, *parts)]
  assert len(set(names)) == 1


def test_shards_agree_on_the_labels_or_say_why_not(
  toy, videos, extraction, tmp_path
):
  toy.write(videos, *(f'z/{n}.mp4' for n in range(9)))
  run(videos, tmp_path / 'f.h5', shard=(0, 2), labels=True)
  shutil.rmtree(videos / 'z')
  with pytest.raises(errors.UserError, match="its label 'z' any more"):
    run(videos, tmp_path / 'f.h5', shard=(0, 2), labels=True)
  run(videos, tmp_path / 'f.h5', shard=(0, 2), labels=True, prune=True)


def test_a_shard_without_videos(videos, extraction, tmp_path):
  with pytest.raises(errors.UserError, match='holds no video, as there are 5'):
    for number in range(99):
      run(videos, tmp_path / f'{number}.h5', shard=(number, 99))
