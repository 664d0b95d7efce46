"""Who sends slowly holds no place, no disk and no memory of others."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import time

import pytest

pytest.importorskip('fastapi')
pytest.importorskip('av')
pytest.importorskip('httpx')

import service_toy as toy

from nph_jax.service import spool

FORM = 'multipart/form-data; boundary=x'
VIDEO = (
  b'--x\r\nContent-Disposition: form-data; name="video"; filename="x"\r\n\r\n'
)
NPY = 'application/x-npy'


@pytest.fixture(scope='module')
def patient(start, tmp_path_factory):
  """A service of few places."""
  with start(
    tmp_path_factory.mktemp('patient'), bounds={'concurrency': 2, 'videos': 2}
  ) as running:
    yield running


@contextlib.contextmanager
def sending(served, kind, content=b'', length=1_000_000):
  """A connection that has sent the beginning of a body."""
  host, port = served.address.removeprefix('http://').split(':')
  with socket.create_connection((host, int(port)), timeout=20) as connection:
    connection.sendall(
      f'POST /search HTTP/1.1\r\nHost: {host}\r\nContent-Type: {kind}\r\n'
      f'Content-Length: {length}\r\n\r\n'.encode()
      + content
    )
    yield connection


def comes_to(value, wanted):
  """Waits until the service has got so far."""
  end = time.monotonic() + 20
  while value() != wanted:
    assert time.monotonic() < end, (value(), wanted)
    time.sleep(0.01)


@pytest.mark.parametrize(
  'kind, content',
  [('application/json', b'{'), (NPY, b'\x93'), (FORM, b'--x'), (FORM, VIDEO)],
)
def test_slow_bodies_take_no_place_of_a_search(patient, kind, content):
  with contextlib.ExitStack() as stack:
    for _ in range(10):
      stack.enter_context(sending(patient, kind, content))
    time.sleep(0.3)
    for _ in range(3):
      answer = patient.client.post('/search', json={'id': 0})
      assert answer.status_code == 200
    features = patient.client.post(
      '/search',
      content=toy.npy(toy.features(1)),
      headers={'Content-Type': NPY},
    )
    assert features.status_code == 200


def test_a_slow_body_is_given_up(start, tmp_path):
  with start(tmp_path, bounds={'patience_seconds': 0.3}) as served:
    for kind, content in ((NPY, b'\x93'), (FORM, VIDEO), (FORM, b'-')):
      with sending(served, kind, content) as connection:
        assert connection.recv(4000).startswith(b'HTTP/1.1 408')
    assert served.service.extractor.gate.inside == 0


def test_no_more_videos_reach_the_disk_than_may_wait(patient, clips):
  gate = patient.service.extractor.gate
  folder = patient.app.state.reader.folder
  content = VIDEO + toy.HANGS + b'\0' * (2 << 20)
  with contextlib.ExitStack() as stack:
    for _ in range(2):
      stack.enter_context(sending(patient, FORM, content, 3 << 20))
    comes_to(lambda: gate.inside, 2)
    # The third hears it before its video has come.
    for _ in range(3):
      third = stack.enter_context(sending(patient, FORM, VIDEO))
      answer = third.recv(4000)
      assert answer.startswith(b'HTTP/1.1 503') and b'videos' in answer
    comes_to(lambda: len(list(folder.iterdir())), 2)
    # Features need no such place.
    files = {'features': toy.npy(toy.features(1))}
    assert patient.client.post('/search', files=files).status_code == 200
  comes_to(lambda: gate.inside, 0)
  comes_to(lambda: list(folder.iterdir()), [])
  video = {'video': (clips / 'cat/two.mp4').read_bytes()}
  assert patient.client.post('/search', files=video).status_code == 200


def test_a_video_nobody_can_hash_is_not_read(start, tmp_path):
  with start(tmp_path, load=toy.load_nothing, backbone=None) as served:
    with sending(served, FORM, VIDEO) as connection:
      assert connection.recv(4000).startswith(b'HTTP/1.1 501')
    files = {'features': toy.npy(toy.features(1))}
    assert served.client.post('/search', files=files).status_code == 200


def test_bodies_in_memory_are_bounded(patient):
  memory = patient.app.state.reader._memory
  content = b' ' * 60_000
  with contextlib.ExitStack() as stack:
    for _ in range(4):
      stack.enter_context(sending(patient, 'application/json', content, 60_001))
    comes_to(lambda: memory.held, 4 * len(content))
    answer = patient.client.post(
      '/search',
      content=b'{"id": 0}' + content,
      headers={'Content-Type': 'application/json'},
    )
    assert answer.status_code == 503 and 'memory' in answer.json()['error']
    assert patient.client.post('/search', json={'id': 0}).status_code == 200
  comes_to(lambda: memory.held, 0)


@pytest.mark.parametrize('kind', ['application/json', NPY, FORM])
@pytest.mark.parametrize('path', ['/search', '/videos', '/session'])
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
  assert sent[0]['status'] in (400, 499)
  assert patient.app.state.reader._memory.held == 0


def test_a_full_disk_is_a_sentence(patient, clips, monkeypatch):
  def full(*_):
    raise OSError(28, 'No space left on device')

  files = {'video': (clips / 'cat/two.mp4').read_bytes()}
  with monkeypatch.context() as patch:
    patch.setattr(spool, 'open', full, raising=False)
    answer = patient.client.post('/search', files=files)
  assert answer.status_code == 503 and answer.headers['retry-after'] == '60'
  assert 'no space left on its disk' in answer.json()['error']
  assert str(patient.app.state.reader.folder) not in answer.text
  assert patient.client.post('/search', files=files).status_code == 200


def test_a_video_is_written_once(patient, clips, monkeypatch):
  written = []
  append = spool.Video._append

  def count(self, path):
    written.append(len(self._waiting))
    append(self, path)

  monkeypatch.setattr(spool.Video, '_append', count)
  content = (clips / 'cat/two.mp4').read_bytes()
  content += b'\0\0\x10\0free' + b'\0' * ((1 << 20) - 8 + 0xFF000)
  answer = patient.client.post('/search', files={'video': content})
  assert answer.status_code in (200, 422), answer.text
  assert sum(written) == len(content) and len(written) == 2
