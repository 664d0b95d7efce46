"""Decoding processes, and what is said to them and by them."""

from __future__ import annotations

import asyncio
import multiprocessing
import os
import socket
import sys

import pytest
import service_toy as toy
from hypothesis import given, settings
from hypothesis import strategies as st

from nph_jax import errors
from nph_jax.service import (
  decoders,
  decoding_process,
  limits,
  problems,
  uploads,
)


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
  assert uploads.suffix_of(head) == suffix


def test_a_decoder_that_cannot_load_says_why():
  decoder = decoders.Decoder(toy.load_nothing, (), limits.Limits())
  with pytest.raises(errors.UserError, match='the toy cannot be loaded'):
    decoders.Pool([decoder])
  assert decoder._process is None


@settings(max_examples=100, deadline=None)
@given(st.binary(max_size=100))
def test_messages_of_a_decoder_are_not_believed(noise):
  fields = {'a': [1.5, 'x', None]}
  ours, theirs = multiprocessing.Pipe()
  with ours, theirs:
    decoding_process.send(theirs, fields, [b'12\n', b'', noise])
    assert decoding_process.receive(ours) == (fields, [b'12\n', b'', noise])
    for damaged in (noise, b'[]', b'[[], 0]', b'[{}, "x"]', b'[{}, null]'):
      theirs.send_bytes(damaged)
      with pytest.raises((ValueError, TypeError)):
        decoding_process.receive(ours)
    theirs.send_bytes(b'[{}, 1000000000]')
    theirs.close()
    with pytest.raises((EOFError, OSError)):
      decoding_process.receive(ours)


def test_a_decoder_that_did_not_start_is_started_again(tmp_path):
  (tmp_path / 'go').write_text('content')
  decoder = decoders.Decoder(
    toy.load_once_there_is, (str(tmp_path / 'go'),), limits.Limits()
  )
  with decoders.Pool([decoder]), open(tmp_path / 'go', 'rb') as file:
    (tmp_path / 'go').rename(tmp_path / 'gone')
    decoder.kill()
    with pytest.raises(problems.Problem) as caught:
      decoder.do({}, file)
    assert caught.value.status_code == 503
    (tmp_path / 'gone').rename(tmp_path / 'go')
    assert decoder.do({}, file) == ({'went': 'content'}, [])


def test_an_answer_in_parts_ends_where_nobody_wants_more(tmp_path):
  """And a process that is started late is the same as any other."""
  (tmp_path / 'file').write_text('abc' * 1000)
  decoder = decoders.Decoder(toy.load_in_parts, (), limits.Limits())
  parts = []

  def take(fields, blobs):
    parts.append((fields['number'], blobs))
    if len(parts) > 3:
      raise problems.Problem(422, 'Enough.')

  def run(number):
    with open(tmp_path / 'file', 'rb') as file:
      return decoder.do({'parts': number}, file, take)[0]['process']

  with decoders.Pool([decoder], lazy=True):
    assert decoder._process is None
    first = run(3)
    assert parts == [(0, [b'a']), (1, [b'b']), (2, [b'c'])]
    with pytest.raises(problems.Problem, match='Enough'):
      run(10**9)
    parts.clear()
    assert run(1) != first


def test_jobs_wait_in_a_queue_for_several_decoders(tmp_path):
  """A slow one holds up nobody, and who goes away costs no decoder."""
  (tmp_path / 'file').touch()
  pool = decoders.Pool(
    [decoders.Decoder(toy.load_sleeper, (), limits.Limits()) for _ in range(2)]
  )

  async def run():
    with open(tmp_path / 'file', 'rb') as file:
      slow = asyncio.create_task(pool.run({'sleep': 30}, file))
      fast = [await pool.run({'sleep': 0}, file) for _ in range(3)]
      gone = asyncio.create_task(pool.run({'sleep': 0.3}, file))
      await asyncio.sleep(0.05)
      gone.cancel()
      fast += await asyncio.gather(
        *(pool.run({'sleep': 0}, file) for _ in range(3))
      )
      assert not slow.done()
      slow.cancel()
      return {fields['process'] for fields, _ in fast}

  with pool:
    processes = asyncio.run(run())
  assert len(processes) == 1


@pytest.mark.skipif(sys.platform != 'linux', reason='of Linux')
def test_a_decoder_has_given_up_what_it_does_not_need(tmp_path):
  (tmp_path / 'file').touch()
  with socket.create_server(('127.0.0.1', 0)) as listening:
    pool = decoders.Pool(
      [decoders.Decoder(toy.load_probe, (), limits.Limits())]
    )
    job = {'port': listening.getsockname()[1], 'folder': str(tmp_path)}
    with pool, open(tmp_path / 'file', 'rb') as file:
      found, _ = asyncio.run(pool.run(job, file))
  assert found['status']['NoNewPrivs'] == '1'
  assert int(found['status']['CapEff'], 16) == 0
  assert found['limits']['FSIZE'] == found['limits']['CORE'] == 0
  assert 0 < found['limits']['NPROC'] < 1 << 20
  assert found['limits']['DATA'] < 1 << 40
  assert found['written'] == 'EFBIG'
  if found['network'] != os.readlink('/proc/self/ns/net') or not os.geteuid():
    assert found['connected'] == 'ENETUNREACH'
