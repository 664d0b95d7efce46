"""Files of strangers: the service answers, and goes on answering."""

from __future__ import annotations

import concurrent.futures

import pytest
import service_toy as toy
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

BOUNDS = {
  'decode_seconds': 6.0,
  'memory_bytes': 256 << 20,
  'duration': 2.0,
  'frames': 60,
  'pixels': 128 * 128,
  'videos': 2,
  'decoders': 1,
}


@pytest.fixture(scope='module')
def small(start, tmp_path_factory):
  """A service with little patience."""
  with start(tmp_path_factory.mktemp('small'), bounds=BOUNDS) as running:
    yield running


def still_answers(served, clips):
  answer = served.film(clips / 'cat/two.mp4')
  assert answer.status_code == 200, answer.text
  assert answer.json()['results'][0]['distance'] == 0


@pytest.mark.parametrize(
  'content, words, reason',
  [
    (toy.HANGS, 'longer than 6 s to decode', 'timeout'),
    (toy.STALLS, 'longer than 6 s to decode', 'timeout'),
    (toy.CRASHES, 'made the decoder crash', 'crash'),
    (toy.EATS, 'more memory to decode', 'memory'),
    (toy.RAISES, 'made the decoder crash', 'crash'),
  ],
)
def test_a_decoder_that_fails_is_replaced(small, clips, content, words, reason):
  def replaced():
    text = small.client.get('/metrics').text
    name = f'nph_decoders_replaced_total{{reason="{reason}"}} '
    found = [x for x in text.splitlines() if x.startswith(name)]
    return float(found[0].removeprefix(name)) if found else 0

  before = replaced()
  assert words in toy.refused(small.film(content), 422)
  assert replaced() == before + 1
  still_answers(small, clips)


def test_ids_are_answered_while_a_decoder_hangs(small):
  with concurrent.futures.ThreadPoolExecutor(1) as thread:
    hanging = thread.submit(small.film, toy.HANGS)
    toy.comes_to(lambda: small.service.extractor.room.held)
    answer = small.client.post('/search?k=3', json={'id': 1})
    assert answer.status_code == 200 and not hanging.done()
    assert hanging.result().status_code == 422


def test_a_decoder_that_lies_is_not_believed(small, clips):
  assert 'no numbers' in toy.refused(small.film(toy.LIES), 422)
  still_answers(small, clips)


def test_more_videos_than_may_wait_are_turned_away(small, clips):
  with concurrent.futures.ThreadPoolExecutor(6) as threads:
    answers = list(threads.map(small.film, [toy.HANGS] * 6))
  statuses = sorted(answer.status_code for answer in answers)
  assert statuses == [422, 422, 503, 503, 503, 503]
  for answer in answers:
    assert answer.status_code == 422 or answer.headers['retry-after'] == '1'
  still_answers(small, clips)


@pytest.mark.parametrize(
  'options, words',
  [
    ({'num_frames': 50}, 'seconds'),
    ({'size': 256, 'num_frames': 3}, 'pixels'),
  ],
)
def test_longer_and_larger_videos_are_refused(small, tmp_path, options, words):
  path = toy.clip(tmp_path / 'film.mp4', **options)
  text = toy.refused(small.film(path.read_bytes(), name='holiday.mp4'), 422)
  assert text.startswith('holiday.mp4: ') and words in text


def test_a_cut_video_is_a_sentence_or_what_is_left_of_it(small, clips):
  for name, status in (('cat/two.mp4', [422]), ('cat/one.webm', [200, 422])):
    content = (clips / name).read_bytes()
    for size in (70, len(content) // 2, len(content) - 200):
      answer = small.film(content[:size])
      assert answer.status_code in status
      if answer.status_code == 422:
        toy.refused(answer, 422)
  still_answers(small, clips)


@pytest.mark.parametrize(
  'content',
  [
    b'#EXTM3U\n#EXT-X-TARGETDURATION:1\n#EXTINF:1,\nfile:///etc/passwd\n',
    b'ffconcat version 1.0\nfile /etc/passwd\n',
    b'<?xml version="1.0"?><MPD><BaseURL>file:///etc/passwd</BaseURL></MPD>',
    b'v=0\r\no=- 0 0 IN IP4 127.0.0.1\r\n',
    b'\x89PNG\r\n\x1a\n' + b'\0' * 60,
    b'RIFF\0\0\0\0WAVEfmt ' + b'\0' * 60,
    b'file:///etc/passwd',
    b'',
  ],
)
def test_what_is_no_plain_container_never_reaches_the_decoder(small, content):
  assert 'not a video' in toy.refused(small.film(content), 415)


@settings(
  max_examples=25,
  deadline=None,
  suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(
  st.sampled_from(
    [b'', b'\0\0\0\x18ftypisom', b'RIFF\xff\xff\0\0AVI LIST', b'\x1aE\xdf\xa3']
  ),
  st.binary(max_size=400),
)
def test_garbage_is_a_sentence(small, head, noise):
  answer = small.film(head + noise)
  toy.refused(answer, 422 if head else answer.status_code)
  assert answer.status_code in (415, 422)


@settings(
  max_examples=15,
  deadline=None,
  suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(st.data())
def test_damaged_videos_are_a_sentence_or_a_result(small, clips, data):
  name = data.draw(st.sampled_from(['cat/two.mp4', 'dog/four.avi']))
  content = bytearray((clips / name).read_bytes())
  for _ in range(data.draw(st.integers(1, 8))):
    place = data.draw(st.integers(16, len(content) - 1))
    content[place] = data.draw(st.integers(0, 255))
  answer = small.film(bytes(content))
  assert answer.status_code in (200, 422)
  if answer.status_code == 422:
    toy.refused(answer, 422)


def test_a_name_is_shown_never_opened(small, clips):
  content = (clips / 'dog/three.webm').read_bytes()
  for name in ('../../etc/passwd', 'a\0b\nc', 'x' * 5000, '', '..', '/'):
    answer = small.film(content, name=name)
    if answer.status_code == 200:
      shown = answer.json()['query']['metadata']['name']
      assert '/' not in shown and len(shown) <= 200
      assert shown.isprintable()
    else:
      toy.refused(answer, answer.status_code)
