"""Near-duplicates of a library of toys: groups, which to keep, rejections."""

import csv
import datetime
import io
import json
import os
import shutil

import numpy as np
import pytest

from nph_jax import errors
from nph_jax.duplicates import finding, grouping, keeping, pairs
from nph_jax.library import commands, extraction, scanning, store
from nph_jax.library import library as library_lib

DAY = 86_400 * 10**9


def copied_features(toy):
  """toy.run, but a file that says `like NAME` is a copy of that one."""

  def run(videos, chosen, decoding, done):
    del chosen, decoding
    for video in videos:
      with open(video.path) as file:
        like = file.read().partition('like ')[2].strip()
      source = os.path.join(os.path.dirname(video.path), like or video.path)
      frames = toy.features(source)
      noise = 0.004 * np.random.default_rng(len(like)).random(frames.shape)
      about = {'duration': 10.0, 'hash': os.path.basename(video.path) + like}
      done(video, about, (frames + bool(like) * noise).astype(np.float16))

  return run


@pytest.fixture
def places(tmp_path, toy, monkeypatch):
  """A library of 40 videos, a copy of number 3 and two of number 7."""
  monkeypatch.setattr(extraction, 'run', copied_features(toy))
  # In 3 frames of width 12 strangers come nearer than in real ones.
  monkeypatch.setattr(grouping, 'WIDEST', 0.5)
  videos, library = tmp_path / 'videos', tmp_path / 'library'
  toy.write(videos, *(f'{number:02}/x.mp4' for number in range(40)))
  toy.write(videos, '03/y.mp4', text='like x.mp4')
  toy.write(videos, '07/y.mp4', '07/z.mp4', text='like x.mp4')
  toy.add(library, videos)
  return videos, library


def found(library, **options):
  with library_lib.Library(library, 'read') as opened:
    return finding.find(opened, **options)


def names(groups):
  """Folder and file of each member."""
  return [
    sorted('/'.join(member.path.split('/')[-2:]) for member in group.members)
    for group in groups
  ]


COPIES = [['03/x.mp4', '03/y.mp4'], ['07/x.mp4', '07/y.mp4', '07/z.mp4']]


def test_copies_are_found_and_nothing_else(places):
  result = found(places[1])
  assert names(result.groups) == COPIES
  assert result.videos == 43 and result.next_id == 43
  assert 0 < result.radius.false_pairs < 1
  for group in result.groups:
    distances = [member.distance for member in group.members]
    assert distances[0] == 0 and distances == sorted(distances)


def test_groups_are_those_of_all_real_distances(places):
  with library_lib.Library(places[1], 'read') as library:
    distances, codes = finding._signatures(library, library.videos())
  within = grouping.radius(distances, codes, 0.5)
  pairs_found = {
    (int(i), int(j))
    for some in grouping.near(distances, codes, within)
    for i, j in zip(*some[:2])
  }
  rows = distances.vectors.astype(np.float64)
  nearest = 1 - rows @ rows.T
  i, j = np.nonzero(np.triu(nearest <= within.distance, 1))
  assert pairs_found == set(zip(i.tolist(), j.tolist())) and len(i) == 4
  for some in grouping.near(distances, codes, within):
    expected = nearest[some[0], some[1]]
    np.testing.assert_allclose(some[2], expected, atol=2e-3)


def test_what_is_known_of_a_file_is_known_when_it_is_gone():
  record = {'duration': 4.0, 'width': 640, 'height': 360}
  file = store.File(1, '/gone.mp4', (1000, 7), record, 3, True)
  assert keeping.facts(file) == keeping.Facts(640, 360, 4.0, 1000, 2000, 7)


def test_what_was_rejected_is_remembered_until_the_file_is_another(
  toy, places, monkeypatch
):
  videos, library = places
  ids = {path: video for video, path in toy.paths(library).items()}
  pair = [ids[str(videos / x)] for x in COPIES[0]]
  with library_lib.Library(library, 'read') as opened:
    finding.reject(opened, pair)
    finding.reject(opened, [ids[str(videos / x)] for x in COPIES[1][:2]])
  # The third of a group still brings the other two together.
  assert names(found(library).groups) == COPIES[1:]
  toy.write(videos, '03/y.mp4', text='again like x.mp4')
  monkeypatch.setattr(scanning, '_equal', lambda *_: [])
  run = copied_features(toy)

  def changed(videos, chosen, decoding, done):
    run(videos, chosen, decoding, lambda video, about, frames: done(
      video, {**about, 'hash': 'another'}, frames))  # fmt: skip

  monkeypatch.setattr(extraction, 'run', changed)
  toy.add(library, videos)
  assert names(found(library).groups) == COPIES


@pytest.mark.parametrize(
  ('ids', 'message'), [([0, 99], 'has no video 99'), ([4, 4], 'two or more')]
)
def test_only_videos_that_are_there_are_rejected(places, ids, message):
  with library_lib.Library(places[1], 'read') as library:
    with pytest.raises(errors.UserError, match=message):
      finding.reject(library, ids)
  assert not (places[1] / 'rejected.json').exists()


def test_damaged_rejections_say_what_to_do(places):
  (places[1] / 'rejected.json').write_text('[[1]]')
  with pytest.raises(errors.UserError, match='delete it, which forgets'):
    found(places[1])


def test_since_an_id_or_a_day_shows_what_is_new(toy, places):
  videos, library = places
  next_id = found(library).next_id
  assert names(found(library, since=next_id).groups) == []
  shutil.copy(videos / '03' / 'x.mp4', videos / '03' / 'new.mp4')
  tomorrow = datetime.date.today() + datetime.timedelta(1)
  assert names(found(library, since=tomorrow).groups) == []
  path = videos / '03' / 'new.mp4'
  now = os.stat(path).st_mtime_ns
  os.utime(path, ns=(now + 2 * DAY, now + 2 * DAY))
  toy.add(library, videos)
  whole = ['03/new.mp4', *COPIES[0]]
  for since in (next_id, tomorrow):
    assert names(found(library, since=since).groups) == [whole]


def test_a_given_radius_is_taken(places):
  same = [COPIES[1][1:]]  # bit by bit
  assert names(found(places[1], radius=1e-9).groups) == same
  everything = found(places[1], radius=2.0)
  assert everything.radius.false_pairs is None
  (group,) = everything.groups
  assert len(group.members) > 30


def test_one_video_is_no_group(tmp_path, toy):
  toy.write(tmp_path / 'videos', 'x.mp4', 'y.mp4')
  toy.add(tmp_path / 'library', tmp_path / 'videos')
  with library_lib.Library(tmp_path / 'library', 'change') as library:
    library.forget(library.videos()[1:])
  assert found(tmp_path / 'library').groups == []


def facts(**others):
  given = {
    'width': 320, 'height': 240, 'duration': 10.0, 'size': 1000,
    'bit_rate': 800, 'time': 5,
  }  # fmt: skip
  return keeping.Facts(**given | others)


@pytest.mark.parametrize(
  ('files', 'rules', 'kept', 'why'),
  [
    ([{}, {'width': 640}], 'resolution', 1, 'resolution: 640 x 240'),
    ([{'duration': 10.3}, {'size': 1001}], 'longest,largest', 1,
     'largest: 1,001 bytes'),
    ([{}, {'duration': 12.0}, {'size': 9}], 'smallest,longest', 2,
     'smallest: 9 bytes'),
    ([{'time': 4}, {'time': 3}, {}], 'oldest', 1, 'oldest: changed 1970-01-01'),
    ([{'time': 4}, {'time': 3}, {}], 'newest', 2, 'newest: changed 1970-01-01'),
    ([{}, {'bit_rate': None}], 'bit_rate', 0, 'bit_rate: 1 kbit/s'),
    ([{'width': None}, {'height': 200}], 'resolution', 1,
     'resolution: 320 x 200'),
    ([{}, {}], 'resolution,largest', 0, 'all are the same; the first'),
  ],
)  # fmt: skip
def test_the_weightiest_rule_that_tells_files_apart_decides(
  files, rules, kept, why
):
  chosen = keeping.choose([facts(**x) for x in files], rules.split(','))
  assert chosen == (kept, why)


def test_an_unknown_rule_names_the_others():
  with pytest.raises(errors.UserError, match='expected one or more of resolu'):
    keeping.check(['best'])


def test_the_command_prints_table_json_and_csv(places, capsys):
  where = f'--index={places[1]}'
  commands.duplicates([where])
  table = capsys.readouterr().out
  assert '2 groups among 43 videos' in table and '--since=43' in table
  commands.duplicates([where, '--json'])
  result = json.loads(capsys.readouterr().out)
  assert len(result['results']) == 5 and result['next_id'] == 43
  commands.duplicates([where, '--csv'])
  rows = list(csv.DictReader(io.StringIO(capsys.readouterr().out)))
  assert [row['id'] for row in rows] == [
    str(row['id']) for row in result['results']
  ]
  assert [row['keep'] for row in rows].count('True') == 2
  ids = ','.join(row['id'] for row in rows if row['group'] == '1')
  commands.duplicates([where, f'--reject={ids}'])
  assert 'remembered' in capsys.readouterr().out
  commands.duplicates([where])
  assert '1 groups' in capsys.readouterr().out


@pytest.mark.parametrize(
  'flag',
  ['--keep=best', '--since=soon', '--reject=1', '--reject=a,b',
   '--radius=0', '--false_pairs=none'],
)  # fmt: skip
def test_bad_flags_are_one_sentence(places, flag, capsys):
  with pytest.raises((SystemExit, errors.UserError)):
    commands.duplicates([f'--index={places[1]}', flag])
  assert 'Traceback' not in capsys.readouterr().err


def test_many_equal_videos_take_no_more_than_their_groups():
  groups = grouping.Groups(2000)
  codes = np.zeros((2000, 8), np.uint8)
  for i, j, _ in pairs.within(codes, 0):
    for a, b in zip(i.tolist(), j.tolist()):
      groups.join(a, b)
  assert groups.all() == [list(range(2000))]
