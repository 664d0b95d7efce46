"""Who sends slowly holds no place, no disk and no memory of others."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import time

import pytest
import service_toy as toy
from starlette import datastructures

FORM = 'multipart/form-data; boundary=x'
VIDEO = (
  b'--x\r\nContent-Disposition: form-data; name="video"; filename="x"\r\n\r\n'
)
NPY, JSON = 'application/x-npy', 'application/json'


@pytest.fixture(scope='module')
def patient(start, tmp_path_factory):
  """A service of few places."""
  with start(
    tmp_path_factory.mktemp('patient'), bounds={'concurrency': 2, 'videos': 2}
  ) as running:
    yield running


@contextlib.contextmanager
def sending(served, path, kind, content=b'', length=1_000_000):
  """A connection that has sent the beginning of a body."""
  host, port = served.address.removeprefix('http://').split(':')
  with socket.create_connection((host, int(port)), timeout=20) as connection:
    connection.sendall(
      f'POST /search{path} HTTP/1.1\r\nHost: {host}\r\nContent-Type: {kind}\r\n'
      f'Content-Length: {length}\r\n\r\n'.encode()
      + content
    )
    yield connection


@pytest.mark.parametrize(
  'path, kind, content',
  [
    ('', JSON, b'{'),
    ('/features', NPY, b'\x93'),
    ('/video', FORM, b'--x'),
    ('/video', FORM, VIDEO + toy.HANGS),
  ],
)
def test_slow_bodies_take_no_place_of_others(
  patient, clips, path, kind, content
):
  """Not even ten beginnings of videos where two may wait for a decoder."""
  with contextlib.ExitStack() as stack:
    for _ in range(10):
      length = 100 if path == '' else 5_000
      stack.enter_context(sending(patient, path, kind, content, length))
    time.sleep(0.3)
    for _ in range(3):
      answer = patient.client.post('/search', json={'id': 0})
      assert answer.status_code == 200
    features = patient.npy('/search/features', toy.features(1))
    assert features.status_code == 200
    assert patient.film(clips / 'cat/two.mp4').status_code == 200


def test_a_slow_body_is_given_up(start, tmp_path):
  with start(tmp_path, bounds={'patience_seconds': 0.3}) as served:
    for path, kind, content in (
      ('', JSON, b'{'),
      ('/features', NPY, b'\x93'),
      ('/video', FORM, VIDEO + toy.HANGS),
      ('/video', FORM, b'-'),
    ):
      with sending(served, path, kind, content, 90) as connection:
        assert connection.recv(4000).startswith(b'HTTP/1.1 408')
    assert served.service.extractor.disk.held == 0


def test_no_more_of_videos_reaches_the_disk_than_may_wait(patient, clips):
  disk = patient.service.extractor.disk
  content = VIDEO + toy.HANGS + b'\0' * (3 << 20)
  with contextlib.ExitStack() as stack:
    for _ in range(2):
      stack.enter_context(sending(patient, '/video', FORM, content, 4 << 20))
    toy.comes_to(lambda: disk.held >> 20 == 6)
    third = stack.enter_context(
      sending(patient, '/video', FORM, content, 4 << 20)
    )
    answer = toy.answer(third)
    assert answer.startswith(b'HTTP/1.1 503') and b'disk' in answer
  toy.comes_to(lambda: disk.held == 0)
  assert patient.film(clips / 'cat/two.mp4').status_code == 200


def test_a_video_nobody_can_hash_is_not_read(start, tmp_path):
  with start(tmp_path, load=toy.load_nothing, backbone=None) as served:
    with sending(served, '/video', FORM, VIDEO) as connection:
      assert connection.recv(4000).startswith(b'HTTP/1.1 501')


def test_bodies_in_memory_are_bounded(patient):
  memory = patient.app.state.memory
  content = b'\x93' * 1000
  with contextlib.ExitStack() as stack:
    stack.callback(setattr, memory, '_size', memory._size)
    memory._size = 4 * len(content)
    for _ in range(4):
      stack.enter_context(sending(patient, '/features', NPY, content, 1001))
    toy.comes_to(lambda: memory.held == 4 * len(content))
    answer = patient.client.post('/search', json={'id': 0})
    assert answer.status_code == 503 and 'memory' in answer.json()['detail']
  toy.comes_to(lambda: memory.held == 0)
  assert patient.client.post('/search', json={'id': 0}).status_code == 200


@pytest.mark.parametrize('kind', ['application/json', NPY, FORM])
@pytest.mark.parametrize('path', ['/search', '/search/video', '/videos'])
def test_who_goes_away_is_no_failure(patient, kind, path):
  """What is raised here, the server would log with its traceback."""
  messages = iter(
    [
      {'type': 'http.request', 'body': b'--x', 'more_body': True},
      {'type': 'http.disconnect'},
    ]
  )
  sent = []

  async def receive():
    return next(messages)

  async def send(message):
    sent.append(message)

  headers = {'host': 'localhost', 'content-type': kind}
  scope = {
    'type': 'http',
    'method': 'POST',
    'path': path,
    'query_string': b'',
    'headers': [(k.encode(), v.encode()) for k, v in headers.items()],
  }
  asyncio.run(patient.app(scope, receive, send))
  assert sent[0]['status'] in (400, 415, 422, 499)
  assert patient.app.state.memory.held == 0


def test_a_full_disk_is_a_sentence(patient, clips, monkeypatch):
  async def full(*_):
    raise OSError(28, 'No space left on device')

  with monkeypatch.context() as patch:
    patch.setattr(datastructures.UploadFile, 'write', full)
    answer = patient.film(clips / 'cat/two.mp4')
  assert 'cannot write this upload' in toy.refused(answer, 503)
  assert answer.headers['retry-after'] == '60'
  assert patient.film(clips / 'cat/two.mp4').status_code == 200
