"""Pictures are made once, however many ask, and forgotten in bounds."""

from __future__ import annotations

import asyncio
import pathlib

import pytest

pytest.importorskip('fastapi')

from nph_jax import errors
from nph_jax.service import limits, pictures, problems

PATH = pathlib.Path(__file__)  # any file


class Decoder:
  def __init__(self, error=None):
    self.jobs = []
    self._error = error

  async def run(self, job, file):
    self.jobs.append(job)
    await asyncio.sleep(0)
    if self._error:
      raise self._error
    return {}, [b't' * 10, b'p' * 10]


def test_many_who_ask_at_once_share_one_decoding():
  decoder = Decoder()
  gallery = pictures.Gallery(decoder, limits.Limits())

  async def ask():
    return await asyncio.gather(*(gallery.get(1, PATH) for _ in range(20)))

  made = asyncio.run(ask())
  assert len(decoder.jobs) == 1 and len(set(map(id, made))) == 1
  assert made[0].thumbnail == b't' * 10 and made[0].preview == b'p' * 10


def test_the_least_recently_wanted_goes_first():
  decoder = Decoder()
  gallery = pictures.Gallery(decoder, limits.Limits(pictures=3))

  async def ask(*ids):
    for id in ids:
      await gallery.get(id, PATH)
    return len(decoder.jobs)

  assert asyncio.run(ask(1, 2, 3, 1, 2, 3)) == 3
  assert asyncio.run(ask(1, 4)) == 4  # 2 goes
  assert asyncio.run(ask(1, 3, 4)) == 4
  assert asyncio.run(ask(2)) == 5


def test_a_removed_video_is_forgotten():
  decoder = Decoder()
  gallery = pictures.Gallery(decoder, limits.Limits())
  asyncio.run(gallery.get(1, PATH))
  gallery.forget(1)
  gallery.forget(7)
  asyncio.run(gallery.get(1, PATH))
  assert len(decoder.jobs) == 2


def test_a_video_that_cannot_be_decoded_is_tried_once():
  decoder = Decoder(error=errors.UserError('film.mp4: is no video.'))
  gallery = pictures.Gallery(decoder, limits.Limits())
  for _ in range(2):
    assert asyncio.run(gallery.get(1, PATH)) == pictures.Pictures()
  assert len(decoder.jobs) == 1


def test_no_file_or_no_decoder_is_no_picture():
  decoder = Decoder()
  gallery = pictures.Gallery(decoder, limits.Limits())
  assert asyncio.run(gallery.get(1, None)) == pictures.Pictures()
  assert (
    asyncio.run(pictures.Gallery(None, limits.Limits()).get(1, PATH))
    == pictures.Pictures()
  )
  assert decoder.jobs == []


def test_more_than_may_wait_are_turned_away():
  gallery = pictures.Gallery(Decoder(), limits.Limits(concurrency=3))

  async def ask():
    return await asyncio.gather(
      *(gallery.get(id, PATH) for id in range(5)), return_exceptions=True
    )

  answers = asyncio.run(ask())
  assert [isinstance(x, problems.Problem) for x in answers] == [
    False, False, False, True, True
  ]  # fmt: skip
  assert answers[4].status_code == 503
  assert asyncio.run(gallery.get(4, PATH)).thumbnail


def test_a_decoder_that_is_away_is_asked_again():
  decoder = Decoder(error=problems.Problem(503, 'Later.'))
  gallery = pictures.Gallery(decoder, limits.Limits())
  for _ in range(2):
    with pytest.raises(problems.Problem):
      asyncio.run(gallery.get(1, PATH))
  assert len(decoder.jobs) == 2
