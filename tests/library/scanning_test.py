"""What became of files, by path, size, time and content."""

import os

import pytest

from nph_jax import errors
from nph_jax.extraction import tasks
from nph_jax.library import scanning, store


def write(path, text):
  path.parent.mkdir(parents=True, exist_ok=True)
  path.write_text(text)
  return str(path)


def known(number, path, **others):
  """The row of a file as it is now."""
  with open(path, 'rb') as file:
    record = {'hash': tasks.digest(file)}
  given = {'record': record, 'video': number, 'indexed': True}
  return store.File(number, path, scanning.stamp(path), **given | others)


def compare(folder, rows, **options):
  videos, _ = scanning.find([str(folder)], rows)
  found = scanning.compare(videos, rows, **options)
  return {
    os.path.basename(x.video.path): (x.kind, x.file and x.file.number)
    for x in found
  }


def age(path):
  os.utime(path, ns=(10**18, 10**18))


def test_a_file_is_known_by_path_size_and_time(tmp_path):
  rows = [known(1, write(tmp_path / 'a.mp4', 'one'))]
  write(tmp_path / 'b.mp4', 'another')
  expected = {'a.mp4': ('known', 1), 'b.mp4': ('new', None)}
  assert compare(tmp_path, rows) == expected


def test_another_time_and_the_same_content_is_known(tmp_path):
  rows = [known(1, write(tmp_path / 'a.mp4', 'one'))]
  age(rows[0].path)
  assert compare(tmp_path, rows) == {'a.mp4': ('touched', 1)}


def test_as_many_bytes_of_another_content_are_a_change(tmp_path):
  rows = [known(1, write(tmp_path / 'a.mp4', 'one'))]
  write(tmp_path / 'a.mp4', 'two')
  age(rows[0].path)
  assert compare(tmp_path, rows) == {'a.mp4': ('changed', 1)}


def test_a_renamed_file_is_the_same_one(tmp_path):
  rows = [known(1, write(tmp_path / 'a.mp4', 'one'))]
  os.rename(rows[0].path, tmp_path / 'b.mp4')
  assert compare(tmp_path, rows) == {'b.mp4': ('moved', 1)}
  found = scanning.compare(scanning.find([str(tmp_path)], rows)[0], rows)
  assert scanning.gone([str(tmp_path)], rows, found) == []


def test_a_copy_is_another_video_of_known_content(tmp_path):
  rows = [known(1, write(tmp_path / 'a.mp4', 'one'))]
  write(tmp_path / 'b.mp4', 'one')
  expected = {'a.mp4': ('known', 1), 'b.mp4': ('copy', 1)}
  assert compare(tmp_path, rows) == expected


def test_of_two_copies_of_a_file_that_is_gone_one_has_moved(tmp_path):
  rows = [known(1, write(tmp_path / 'a.mp4', 'one'))]
  os.rename(rows[0].path, tmp_path / 'b.mp4')
  write(tmp_path / 'c.mp4', 'one')
  expected = {'b.mp4': ('moved', 1), 'c.mp4': ('new', None)}
  assert compare(tmp_path, rows) == expected


def test_two_files_that_changed_places_are_extracted_again(tmp_path):
  """What is known of the one is about to be replaced by the other's."""
  a, b = (write(tmp_path / f'{x}.mp4', x) for x in ('one', 'two'))
  rows = [known(1, a), known(2, b)]
  write(tmp_path / 'one.mp4', 'two')
  write(tmp_path / 'two.mp4', 'one')
  age(a)
  age(b)
  expected = {'one.mp4': ('changed', 1), 'two.mp4': ('changed', 2)}
  assert compare(tmp_path, rows) == expected


def test_a_bad_file_is_tried_again_when_asked_or_changed(tmp_path):
  path = write(tmp_path / 'a.mp4', 'bad')
  rows = [known(1, path, record={'error': 'is bad'})]
  assert compare(tmp_path, rows) == {'a.mp4': ('bad', 1)}
  assert compare(tmp_path, rows, retry=True) == {'a.mp4': ('again', 1)}
  age(path)
  assert compare(tmp_path, rows) == {'a.mp4': ('changed', 1)}


def test_gone_are_files_of_the_places_alone(tmp_path):
  rows = [
    known(number, write(tmp_path / name / 'a.mp4', name))
    for number, name in enumerate(('here', 'here too', 'elsewhere'))
  ]
  for row in rows:
    os.remove(row.path)
  places = [str(tmp_path / 'here')]
  assert scanning.find(places, rows) == ([], {})
  assert scanning.gone(places, rows, []) == rows[:1]


def test_other_files_are_counted_by_suffix(tmp_path):
  for name in ('a.mp4', 'b.TXT', 'x/c.txt', 'x/d', '.hidden.txt', '.x/e.txt'):
    write(tmp_path / name, name)
  videos, ignored = scanning.find([str(tmp_path)], [])
  assert [video.name for video in videos] == [str(tmp_path / 'a.mp4')]
  assert ignored == {'.txt': 2, 'none': 1}


def test_places_that_cannot_be_added_are_said(tmp_path):
  with pytest.raises(errors.UserError, match='no such file or folder'):
    scanning.find([str(tmp_path / 'missing')], [])
  with pytest.raises(errors.UserError, match='holds no video'):
    scanning.find([str(tmp_path)], [])


def test_a_file_named_twice_is_one(tmp_path):
  path = write(tmp_path / 'a.mp4', 'one')
  assert len(scanning.find([str(tmp_path), path], [])[0]) == 1
