"""What became of files, by path, size, time and content."""

import os

import pytest

from nph_jax import errors
from nph_jax.extraction import files, tasks
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
  return store.File(number, path, files.stamp(path), **given | others)


def compare(folder, rows, **options):
  videos, _ = scanning.find([str(folder)], rows)
  found = scanning.compare(videos, rows, **options)
  return {
    os.path.basename(x.video.path): (x.kind, x.file and x.file.number)
    for x in found
  }


def age(path):
  os.utime(path, ns=(10**18, 10**18))


# What the files say before and after, how old the first is made, and what comes
# of each: its kind, and the number of what was known.
BEFORE = {'a.mp4': 'one', 'b.mp4': 'two'}
BOTH = {'a.mp4': ('known', 0), 'b.mp4': ('known', 1)}


@pytest.mark.parametrize(
  ('after', 'aged', 'expected'),
  [
    (BEFORE | {'c.mp4': 'another'}, '', BOTH | {'c.mp4': ('new', None)}),
    (BEFORE, 'a', BOTH | {'a.mp4': ('touched', 0)}),
    # As many bytes of another content.
    (BEFORE | {'a.mp4': 'six'}, 'a', BOTH | {'a.mp4': ('changed', 0)}),
    (
      {'b.mp4': 'two', 'c.mp4': 'one'},
      '',
      {'b.mp4': ('known', 1), 'c.mp4': ('moved', 0)},
    ),
    (BEFORE | {'c.mp4': 'one'}, '', BOTH | {'c.mp4': ('copy', 0)}),
    # Of two copies of a file that is gone one has moved.
    (
      {'b.mp4': 'two', 'c.mp4': 'one', 'd.mp4': 'one'},
      '',
      {'b.mp4': ('known', 1), 'c.mp4': ('moved', 0), 'd.mp4': ('new', None)},
    ),
    # Two that changed places: what is known of the one is about to be replaced
    # by the other's.
    (
      {'a.mp4': 'two', 'b.mp4': 'one'},
      'ab',
      {'a.mp4': ('changed', 0), 'b.mp4': ('changed', 1)},
    ),
  ],
)
def test_what_became_of_files(tmp_path, after, aged, expected):
  rows = [
    known(number, write(tmp_path / name, text))
    for number, (name, text) in enumerate(BEFORE.items())
  ]
  for name in BEFORE.keys() - after:
    os.remove(tmp_path / name)
  for name, text in after.items():
    if BEFORE.get(name) != text:
      write(tmp_path / name, text)
  for name in aged:
    age(tmp_path / f'{name}.mp4')
  assert compare(tmp_path, rows) == expected
  found = scanning.compare(scanning.find([str(tmp_path)], rows)[0], rows)
  assert scanning.gone([str(tmp_path)], rows, found) == []


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
  assert [video.path for video in videos] == [str(tmp_path / 'a.mp4')]
  assert ignored == {'.txt': 2, 'none': 1}


def test_places_that_cannot_be_added_are_said(tmp_path):
  with pytest.raises(errors.UserError, match='no such file or folder'):
    scanning.find([str(tmp_path / 'missing')], [])
  with pytest.raises(errors.UserError, match='holds no video'):
    scanning.find([str(tmp_path)], [])


def test_a_file_named_twice_is_one(tmp_path):
  path = write(tmp_path / 'a.mp4', 'one')
  assert len(scanning.find([str(tmp_path), path], [])[0]) == 1
