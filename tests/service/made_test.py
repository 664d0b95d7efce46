"""Pictures and converted videos: made once, kept within bounds."""

from __future__ import annotations

import asyncio
import os

import pytest

from nph_jax import errors
from nph_jax.service import cache, limits, made, problems


class Decoder:
  """Answers in parts, as a process does, or raises."""

  def __init__(self, error=None, parts=()):
    self.jobs, self._error, self._parts = [], error, parts

  async def run(self, job, file, on_part=None):
    self.jobs.append(job.get('do', 'transcode'))
    await asyncio.sleep(0)
    if self._error:
      raise self._error
    for fields, blobs in self._parts:
      on_part(fields, blobs)
    return {}, [self.jobs[-1].encode()]


@pytest.fixture
def film(tmp_path):
  path = tmp_path / 'film.avi'
  path.write_bytes(b'film')
  return path


@pytest.fixture
def kept(tmp_path):
  return cache.Cache(tmp_path / 'cache', 1000)


def maker(decoder, kept, **bounds):
  return made.Maker(decoder, decoder, kept, limits.Limits(**bounds))


def test_the_least_recently_used_goes_first(kept, tmp_path):
  """And what another program deleted is no failure."""
  places = []
  for number in range(5):
    video = tmp_path / f'{number}.mp4'
    video.write_bytes(b'x')
    places.append(kept.place(video, 'thumbnail.jpg'))
    with kept.writing(places[-1]) as file:
      file.write(b'x' * 300)
    os.utime(places[-1], (number, number))
    if number == 2:
      assert all(map(kept.has, places))
      os.utime(places[1], (1, 1))
  assert [place.exists() for place in places] == [
    True, False, True, False, True
  ]  # fmt: skip
  again = cache.Cache(tmp_path / 'cache', 1000)
  assert again.has(places[4]) and not again.has(places[1])
  assert os.stat(tmp_path / 'cache').st_mode & 0o77 == 0


def test_what_was_not_written_to_its_end_is_not_there(kept, film):
  place = kept.place(film, 'playable.mp4')
  with pytest.raises(RuntimeError), kept.writing(place) as file:
    file.write(b'half')
    raise RuntimeError
  assert not kept.has(place) and not list(place.parent.iterdir())


def test_a_video_that_has_changed_is_another(kept, film):
  before = kept.place(film, 'preview.webp')
  with kept.writing(before) as file:
    file.write(b'x')
  film.write_bytes(b'another')
  assert kept.place(film, 'preview.webp') != before
  film.write_bytes(b'film')
  os.utime(film, (5, 5))
  place = kept.place(film, 'preview.webp')
  with kept.writing(place) as file:
    file.write(b'x')
  kept.drop(film)
  assert before.exists() and not place.exists()


def test_many_who_ask_at_once_share_one_decoding(kept, film):
  """Also those who ask after the service was started again."""
  decoder = Decoder()

  async def ask(shown):
    return await asyncio.gather(
      *(shown.picture(film, 'thumbnail') for _ in range(20))
    )

  for _ in range(2):
    pictures = asyncio.run(ask(maker(decoder, kept)))
    assert pictures == [b'thumbnail'] * 20
  assert decoder.jobs == ['thumbnail']


def test_a_video_without_pictures_is_tried_once(kept, film):
  decoder = Decoder(error=errors.UserError('film.avi: is no video.'))
  shown = maker(decoder, kept)
  for _ in range(2):
    assert asyncio.run(shown.picture(film, 'preview')) == b''
  assert decoder.jobs == ['preview']


def test_no_file_or_no_decoder_is_no_picture(kept, film):
  decoder = Decoder()
  gone = film.with_name('gone.avi')
  for path in (None, gone):
    assert asyncio.run(maker(decoder, kept).picture(path, 'preview')) == b''
  assert asyncio.run(maker(None, kept).picture(film, 'preview')) == b''
  assert decoder.jobs == []


def test_a_decoder_that_is_away_is_asked_again(kept, film):
  decoder = Decoder(error=problems.Problem(503, 'Later.'))
  shown = maker(decoder, kept)
  for _ in range(2):
    with pytest.raises(problems.Problem):
      asyncio.run(shown.picture(film, 'thumbnail'))
  assert len(decoder.jobs) == 2


def test_more_than_may_wait_are_turned_away(kept, film, tmp_path):
  films = [film]
  for number in range(3):
    films.append(tmp_path / f'{number}.avi')
    films[-1].write_bytes(b'x')

  async def ask():
    shown = maker(Decoder(), kept, concurrency=3)
    found = [shown.picture(path, 'thumbnail') for path in films]
    answers = await asyncio.gather(*found, return_exceptions=True)
    converter = maker(Decoder(), kept, conversions=3)
    for path in films[:3]:
      assert converter.progress(path) == 0
    with pytest.raises(problems.Problem) as caught:
      converter.progress(films[3])
    assert caught.value.status_code == 503
    return [isinstance(x, problems.Problem) for x in answers]

  assert asyncio.run(ask()) == [False, False, False, True]


def converted(converter, path):
  """The shares that are told until it is there, or the problem."""

  async def ask():
    shares = [converter.progress(path)]
    while shares[-1] < 1:
      await asyncio.sleep(0)
      shares.append(converter.progress(path))
    return shares

  return asyncio.run(ask())


def test_a_video_is_converted_once_and_its_parts_put_in_place(kept, film):
  parts = [
    ({'more': True, 'share': 0.5, 'at': [0, 4]}, [b'abcd', b'efgh']),
    ({'more': True, 'share': 1.0, 'at': [2]}, [b'XY']),
  ]
  decoder = Decoder(parts=parts)
  converter = maker(decoder, kept)
  assert converter.converted(film) is None
  shares = converted(converter, film)
  assert shares[0] == 0 and shares[-1] == 1 and max(shares[:-1]) < 1
  assert converter.converted(film).read_bytes() == b'abXYefgh'
  assert converted(converter, film) == [1.0]
  assert converted(maker(decoder, kept), film) == [1.0]
  assert decoder.jobs == ['transcode']


@pytest.mark.parametrize('place', [499, 10**12, -1])
def test_a_part_that_leads_out_of_the_file_is_refused(kept, film, place):
  part = {'more': True, 'share': 0.1, 'at': [place]}, [b'xy']
  converter = maker(Decoder(parts=[part]), kept)
  for _ in range(2):
    with pytest.raises(problems.Problem) as caught:
      converted(converter, film)
    assert caught.value.status_code == 422
    assert '--cache_mb' in caught.value.detail
  assert converter.converted(film) is None


def test_without_an_encoder_nothing_is_converted(kept, film):
  converter = maker(None, kept)
  with pytest.raises(problems.Problem) as caught:
    converter.progress(film)
  assert caught.value.status_code == 501 and converter.converted(film) is None
