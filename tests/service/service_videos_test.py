"""Videos of the index over HTTP: browsed, watched, added, removed."""

from __future__ import annotations

import concurrent.futures
import io
import json
import os

import numpy as np
import pytest
import service_toy as toy
from PIL import Image

from nph_jax.index import facets
from nph_jax.service import listing

LONG = 'bytes=0-' + '9' * 5000  # more digits than int() takes


def nearest(own, frames):
  return own.npy('/search/features?k=1', frames).json()['results'][0]


def test_pages_hold_every_video_once(served):
  seen, offset = [], 0
  while offset is not None:
    page = served.client.get(f'/videos?offset={offset}&limit=10').json()
    seen += [video['id'] for video in page['videos']]
    assert page['total'] == 44
    offset = page['next']
  assert seen == list(range(44))
  beyond = served.client.get('/videos?offset=999').json()
  assert beyond['videos'] == [] and beyond['next'] is None


@pytest.mark.parametrize(
  'wanted, expected',
  [
    ('descending=true&limit=3', [43, 42, 41]),
    ('name=O', [0, 1, 2]),  # one.webm, two.mp4, four.avi: not three.webm
    ('sort=name&limit=5', [2, 0, 3, 1, 4]),
    ('sort=name&descending=true&limit=5', [1, 3, 0, 2, 4]),
    ('label=dog&sort=name&descending=true', [3, 2]),
    ('label=dog&name=webm', [3]),
    ('label=none', []),
    ('sort=duration&limit=5', [0, 1, 2, 3, 4]),
  ],
)
def test_videos_are_found_and_sorted(served, wanted, expected):
  page = served.client.get(f'/videos?{wanted}').json()
  assert [video['id'] for video in page['videos']] == expected


def test_videos_are_sorted_by_the_date_of_their_files(start, tmp_path):
  """Those without one come last; what is removed is there no more."""
  videos = tmp_path / 'videos'
  (videos / 'cat').mkdir(parents=True)
  for number, name in enumerate(('two.mp4', 'one.webm')):
    (videos / 'cat' / name).touch()
    os.utime(videos / 'cat' / name, (1000 - number, 1000 - number))
  options = {'load': toy.load_nothing, 'backbone': None}
  with start(tmp_path, videos=videos, **options) as s:

    def ids(wanted):
      page = s.client.get(f'/videos?sort=date&limit=3{wanted}').json()
      return [video['id'] for video in page['videos']]

    assert ids('') == [0, 1, 2]
    assert ids('&descending=true') == [1, 0, 2]
    assert {'label': 'cat', 'videos': 2} in s.client.get('/labels').json()
    s.client.delete('/videos/0')
    assert ids('') == [1, 2, 3]
    assert {'label': 'cat', 'videos': 1} in s.client.get('/labels').json()


def test_labels_are_counted(served):
  found = served.client.get('/labels').json()
  assert found[0] == {'label': 'digit 0', 'videos': 10}
  assert found[-2:] == [
    {'label': 'cat', 'videos': 2},
    {'label': 'dog', 'videos': 2},
  ]


def test_a_large_index_is_listed_as_it_was_added(served, monkeypatch):
  monkeypatch.setattr(listing, '_MOST', 43)
  assert served.client.get('/labels').json() == []
  assert served.client.get('/videos?limit=3').json()['total'] == 44
  for wanted in ('name=x', 'label=cat', 'sort=date'):
    answer = served.client.get(f'/videos?{wanted}')
    assert answer.status_code == 422 and 'search' in answer.json()['detail']


def test_a_video_says_where_its_parts_are(served):
  video = served.client.get('/videos/0').json()
  assert video == {
    'id': 0,
    'metadata': {
      'path': 'cat/one.webm',
      'labels': ['cat'],
      'duration': 1.0,
      'backbone': 'toy',
    },
    'type': 'video/webm',
    'thumbnail': 'videos/0/thumbnail',
    'preview': 'videos/0/preview',
    'file': 'videos/0/file',
    'converted': 'videos/0/converted',
  }
  other = served.client.get('/videos/9').json()
  names = ('type', 'file', 'converted', 'preview')
  assert [other[name] for name in names] == [None] * 4
  assert served.client.get('/videos/2').json()['type'] == 'video/x-msvideo'


def test_what_browsers_do_not_play_is_converted(own):
  missing = own.client.get('/videos/2/converted')
  assert missing.status_code == 404 and 'POST' in missing.json()['detail']

  def share():
    return own.client.post('/videos/2/converted').json()['share']

  assert share() < 1
  toy.comes_to(lambda: share() == 1)
  part = own.client.get('/videos/2/converted', headers={'Range': 'bytes=4-11'})
  assert part.status_code == 206 and part.content[:4] == b'ftyp'
  assert part.headers['content-type'] == 'video/mp4'
  assert own.client.post('/videos/9/converted').status_code == 404


def test_ranges_of_a_file(served, clips):
  content = (clips / 'cat/one.webm').read_bytes()
  size = len(content)

  def get(ranges=None):
    headers = {'Range': ranges} if ranges else {}
    return served.client.get('/videos/0/file', headers=headers)

  whole = get()
  assert whole.status_code == 200 and whole.content == content
  assert whole.headers['accept-ranges'] == 'bytes'
  assert whole.headers['content-type'] == 'video/webm'
  for ranges, part in (('bytes=0-9', content[:10]), ('bytes=-7', content[-7:])):
    answer = get(ranges)
    assert answer.status_code == 206 and answer.content == part
    assert answer.headers['content-range'].endswith(f'/{size}')
  beyond = get(f'bytes={size}-')
  assert 'not as long' in toy.refused(beyond, 416)
  assert beyond.headers['content-range'] == f'bytes */{size}'
  for ranges in ('bytes=9-3', 'bytes=a-b', '0-9', 'lines=0-9', LONG):
    toy.refused(get(ranges), 400)


def test_the_head_of_a_file_says_how_long_it_is(served, clips):
  size = (clips / 'cat/one.webm').stat().st_size
  for ranges, status in (({}, 200), ({'Range': 'bytes=0-'}, 206)):
    head = served.client.head('/videos/0/file', headers=ranges)
    assert head.status_code == status and head.content == b''
    assert head.headers['content-length'] == str(size)
    assert head.headers['content-type'] == 'video/webm'
  assert served.client.head('/videos/9/file').status_code == 404
  # Described once, as what GET answers.
  api = served.client.get('/openapi.json').json()
  assert list(api['paths']['/videos/{id}/file']) == ['get']


def test_pictures_are_of_the_video(served, clips):
  thumbnail = served.client.get('/videos/0/thumbnail')
  assert thumbnail.headers['content-type'] == 'image/jpeg'
  pixels = np.asarray(Image.open(io.BytesIO(thumbnail.content)))
  found = toy.quarters(pixels[None])[0]
  off = [
    np.abs(
      toy.clip_features(
        clips / served.client.get(f'/videos/{id}').json()['metadata']['path']
      )[0, 2]
      - found
    ).max()
    for id in range(4)
  ]
  assert off[0] < 0.6 and min(off[1:]) > 0.8
  preview = served.client.get('/videos/0/preview')
  assert preview.headers['content-type'] == 'image/webp'
  assert Image.open(io.BytesIO(preview.content)).n_frames == 10


def test_a_video_without_a_file_is_shown_as_its_code(served):
  answer = served.client.get('/videos/9/thumbnail')
  assert answer.headers['content-type'] == 'image/svg+xml'
  ones = int(np.unpackbits(served.codes[9]).sum())
  assert answer.text.count('fill-opacity="0.85"') == ones
  assert answer.text.count('<rect') == toy.NUM_BITS
  missing = served.client.get('/videos/9/preview')
  assert toy.refused(missing, 404) == 'There are no pictures of video 9.'


def test_an_added_video_is_found_shown_and_removed(own, tmp_path):
  path = toy.clip(tmp_path / 'new.webm', seed=50)
  frames = toy.clip_features(path)
  about = {'metadata': json.dumps({'labels': ['bird'], 'note': 'ü'})}
  answer = own.film(path, '/videos', data=about)
  assert answer.status_code == 201, answer.text
  added = answer.json()
  assert added['metadata']['name'] == 'new.webm'
  assert added['metadata']['labels'] == ['bird']
  assert added['type'] == 'video/webm' and 'stored' not in added['metadata']
  found = nearest(own, frames)
  assert (found['id'], found['distance']) == (added['id'], 0)
  file = own.client.get(added['file'])
  assert file.content == path.read_bytes()
  thumbnail = own.client.get(added['thumbnail'])
  assert thumbnail.headers['content-type'] == 'image/jpeg'
  kept = own.folder / 'index' / 'videos'
  assert len([p for p in kept.iterdir() if p.is_file()]) == 1
  # So that `index rehash` finds it among new features.
  contents = facets.contents(frames).tolist()
  assert own.service.index.known(contents) == [[added['id']]]

  assert own.client.delete(f'/videos/{added["id"]}').status_code == 204
  assert nearest(own, frames)['id'] != added['id']
  assert not [p for p in kept.rglob('*') if p.is_file()]
  for address in ('', '/file', '/thumbnail', '/preview'):
    gone = own.client.get(f'/videos/{added["id"]}{address}')
    toy.refused(gone, 404)
  again = own.client.delete(f'/videos/{added["id"]}')
  assert again.status_code == 404


def test_added_features_are_found(own):
  frames = toy.features(1, 900)
  about = {'metadata': '{"title": "numbers"}'}
  answer = own.npy('/videos/features', frames, params=about)
  assert answer.status_code == 201, answer.text
  found = nearest(own, frames)
  assert (found['id'], found['distance']) == (answer.json()['id'], 0)
  assert found['metadata']['title'] == 'numbers'
  own.client.delete(f'/videos/{answer.json()["id"]}')


def test_what_is_sent_twice_is_added_once(own, tmp_path):
  """Also when both are on their way at the same time."""
  film = toy.clip(tmp_path / 'film.webm', seed=51).read_bytes()

  def send(number):
    if number % 2:
      return own.film(film, '/videos', f'{number}.webm')
    return own.npy('/videos/features', toy.features(1, 901))

  before = len(own.service.index)
  with concurrent.futures.ThreadPoolExecutor(8) as threads:
    answers = list(threads.map(send, range(8)))
  assert sorted(x.status_code for x in answers) == [200] * 6 + [201] * 2
  for some in (answers[::2], answers[1::2]):
    assert len({x.text for x in some}) == 1
    again = own.client.delete(f'/videos/{some[0].json()["id"]}')
    assert again.status_code == 204
  assert len(own.service.index) == before
  kept = own.folder / 'index' / 'videos'
  assert not [p for p in kept.rglob('*') if p.is_file()]


def test_files_that_are_no_videos_are_not_served(start, tmp_path):
  videos = tmp_path / 'videos'
  toy.clip(videos / 'a' / 'clip.webm')
  (videos / 'page.html').write_text('<script>')
  (tmp_path / 'secret.mp4').write_bytes(b'secret')
  os.symlink(tmp_path / 'secret.mp4', videos / 'link.mp4')
  with start(
    tmp_path, videos=videos, load=toy.load_nothing, backbone=None
  ) as s:
    ids = s.service.index.add(
      toy.codes(toy.features(3)),
      [{'path': 'page.html'}, {'path': 'link.mp4'}, {'path': '../secret.mp4'}],
      toy.relaxed(toy.features(3)),
    )
    for id in ids:
      answer = s.client.get(f'/videos/{id}/file')
      words, linked = toy.refused(answer, 404), id == ids[1]
      assert ('--follow_links' if linked else 'is not here.') in words
    for path in (
      '/videos/..%2f..%2fetc%2fpasswd/file',
      '/videos/0/..%2f..%2ffile',
      '/static/..%2fservice.py',
      '/static/../service.py',
      '/videos/a%2fclip.webm/file',
    ):
      answer = s.client.get(path)
      assert answer.status_code in (404, 422), path
      toy.refused(answer, answer.status_code)
