"""Decoding processes, and what is said to them and by them."""

from __future__ import annotations

import asyncio

import pytest

pytest.importorskip('fastapi')
pytest.importorskip('av')
pytest.importorskip('httpx')

import service_toy as toy
from hypothesis import given, settings
from hypothesis import strategies as st

from nph_jax import errors
from nph_jax.service import containers, decoders, limits, messages, problems


@pytest.mark.parametrize(
  'head, suffix',
  [
    (b'\0\0\0\x18ftypisom', '.mp4'),
    (b'\0\0\0\x14ftypqt  ', '.mov'),
    (b'\0\0\0\x08wide\0\0\0\0mdat', '.mp4'),
    (b'RIFF\x10\0\0\0AVI LIST', '.avi'),
    (b'\x1aE\xdf\xa3\x9fB\x86\x81\x01webm', '.webm'),
    (b'\x1aE\xdf\xa3\x9fB\x86\x81\x01matroska', '.mkv'),
  ],
)
def test_containers_by_their_first_bytes(head, suffix):
  assert containers.suffix_of(head) == suffix


def test_a_decoder_that_cannot_load_says_why():
  with pytest.raises(errors.UserError, match='the toy cannot be loaded'):
    decoders.Decoder(toy.load_nothing, (), limits.Limits())


@settings(max_examples=100, deadline=None)
@given(st.binary(max_size=100))
def test_messages_of_a_decoder_are_not_believed(noise):
  fields = {'a': [1.5, 'x', None]}
  whole = messages.pack(fields, [b'12\n', b'', noise])
  assert messages.unpack(whole) == (fields, [b'12\n', b'', noise])
  for damaged in (noise, whole + b'1', whole[:-1], b'[]\n', b'{"fields": 1}\n'):
    with pytest.raises((ValueError, KeyError, TypeError)):
      messages.unpack(damaged)


def test_a_problem_is_what_callers_see():
  problem = problems.Problem(422, 'No.', {'X': 'y'})
  assert (problem.status, problem.sentence, problem.headers) == (
    422,
    'No.',
    {'X': 'y'},
  )


def test_a_decoder_that_did_not_start_is_started_again(tmp_path):
  (tmp_path / 'go').touch()
  with decoders.Decoder(
    toy.load_once_there_is, (str(tmp_path / 'go'),), limits.Limits()
  ) as decoder:
    (tmp_path / 'go').unlink()
    decoder._kill()
    with pytest.raises(problems.Problem) as caught:
      asyncio.run(decoder.run({}))
    assert caught.value.status == 503
    (tmp_path / 'go').touch()
    assert asyncio.run(decoder.run({})) == ({'went': True}, [])
