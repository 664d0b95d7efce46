"""How much one caller may send, and how many may ask at once."""

from __future__ import annotations

import asyncio
import select
import socket

import httpx
import pytest
import service_toy as toy

from nph_jax.service import limits, problems, rooms


@pytest.mark.parametrize(
  'path, limit',
  [
    ('search', b'4,096 bytes'),
    ('search/features', b'1,396 bytes'),
    ('search/video', b'4 MiB'),
    ('session', b'4,096 bytes'),
  ],
)
def test_an_announced_body_is_refused_before_it_comes(served, path, limit):
  """The answer arrives though not a byte of the body was sent."""
  host, port = served.address.removeprefix('http://').split(':')
  with socket.create_connection((host, int(port)), timeout=20) as connection:
    connection.sendall(
      f'POST /{path} HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: '
      '99999999\r\n\r\n'.encode()
    )
    answer = toy.answer(connection)
  assert answer.startswith(b'HTTP/1.1 413')
  assert b'larger than the %b' % limit in answer


def test_a_body_that_is_a_little_too_large_is_read_before_the_answer(served):
  """Else the connection is reset, and with it the answer may be lost."""
  host, port = served.address.removeprefix('http://').split(':')
  with socket.create_connection((host, int(port)), timeout=20) as connection:
    connection.sendall(
      b'POST /search HTTP/1.1\r\nHost: 127.0.0.1\r\n'
      b'Content-Length: 5000\r\n\r\n'
    )
    assert not select.select([connection], [], [], 0.3)[0]
    connection.sendall(b' ' * 5000)
    assert toy.answer(connection).startswith(b'HTTP/1.1 413')


@pytest.mark.parametrize(
  'head, status', [(b'\0\0\0\x18ftypisom', 413), (b'no video', 415)]
)
def test_an_unannounced_upload_is_cut_at_the_limit(served, head, status):
  sent = 0

  def endless():
    nonlocal sent
    yield b'--x\r\nContent-Disposition: form-data; name="video"; '
    yield b'filename="x"\r\n\r\n' + head
    while sent < 400 << 20:
      sent += 1 << 20
      yield b'\0' * (1 << 20)

  headers = {'Content-Type': 'multipart/form-data; boundary=x'}
  try:
    answer = served.client.post(
      '/search/video', content=endless(), headers=headers
    )
    assert answer.status_code == status
  except httpx.TransportError:
    pass  # the service hung up, which a sender may meet first
  assert sent < 60 << 20


def test_too_many_searches_are_told_when_to_come_back(served):
  room = served.service.room
  places, room._size = room._size, 0
  try:
    for answer in (
      served.client.post('/search', json={'id': 0}),
      served.npy('/videos/features', toy.features(1)),
    ):
      assert 'as many as it takes' in toy.refused(answer, 503)
      assert answer.headers['retry-after'] == '1'
    assert served.client.get('/healthz').status_code == 200
  finally:
    room._size = places
  assert served.client.post('/search', json={'id': 0}).status_code == 200


async def read(waits, thinking=0.0, limit=10_000, **bounds):
  """How many messages of 100 bytes come through."""
  waits = list(waits)

  async def receive():
    await asyncio.sleep(waits.pop(0))
    body = {'type': 'http.request', 'body': b'x' * 100}
    return body | {'more_body': bool(waits)}

  receive = rooms.bounded(
    receive, limit, limits.Limits(**bounds), lambda count: None
  )
  count = 0
  while True:
    message = await receive()
    count += 1
    if not message['more_body']:
      return count
    await asyncio.sleep(thinking)


@pytest.mark.parametrize(
  'waits, bounds',
  [
    ((10,), {'patience_seconds': 0.05}),
    ((0, 10), {'patience_seconds': 0.05, 'upload_rate': 100_000}),
    ((0.03,) * 100, {'patience_seconds': 0.1, 'upload_rate': 10_000}),
    ((0, 10), {'upload_seconds': 0.05}),
  ],
)
def test_slow_bodies_are_given_up(waits, bounds):
  with pytest.raises(problems.Problem) as caught:
    asyncio.run(read(waits, **bounds))
  assert caught.value.status_code == 408 and 'faster' in caught.value.detail


def test_only_the_sender_s_time_counts():
  assert asyncio.run(read((0, 0, 0))) == 3
  slow = {'patience_seconds': 1.0, 'upload_rate': 100}
  assert asyncio.run(read((0.02,) * 20, **slow)) == 20
  assert asyncio.run(read((0, 0, 0), 0.3, patience_seconds=0.5)) == 3


def test_a_body_is_cut_at_its_limit():
  assert asyncio.run(read((0, 0, 0), limit=300)) == 3
  with pytest.raises(problems.Problem) as caught:
    asyncio.run(read((0, 0, 0), limit=299))
  assert caught.value.status_code == 413


def test_what_is_held_is_given_back():
  room = rooms.room(100, 'videos')
  with room.share(1) as take, room.share() as other:
    take(59)
    other(40)
    for count in (1, 41):
      with pytest.raises(problems.Problem) as caught, room.share(count):
        pass
      assert caught.value.status_code == 503 and room.held == 100
  assert room.held == 0
