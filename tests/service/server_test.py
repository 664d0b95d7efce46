"""Connections that are only held: others are answered all the same."""

from __future__ import annotations

import asyncio
import contextlib
import pathlib
import socket
import subprocess
import sys

import pytest
import service_toy as toy

from nph_jax.service import server

ROOT = pathlib.Path(__file__).parents[2]
REQUEST = b'GET / HTTP/1.1\r\nHost: x\r\n\r\n'
# Answers with 64 MiB where it is asked for /large, else with how many files it
# has open.
PROGRAM = """
import os, socket, sys
from nph_jax.service import server

async def app(scope, receive, send):
  assert scope['type'] == 'http', 'no lifespan here'
  files = str(len(os.listdir('/proc/self/fd'))).encode()
  body = b'x' * (64 << 20) if scope['path'] == '/large' else files
  length = str(len(body)).encode()
  await send({'type': 'http.response.start', 'status': 200,
              'headers': [(b'content-length', length)]})
  await send({'type': 'http.response.body', 'body': body})

server.HEAD_SECONDS, server.STALL_SECONDS = map(float, sys.argv[1:])
listening = socket.create_server(('127.0.0.1', 0), backlog=1024)
print(listening.getsockname()[1], flush=True)
server.serve(app, listening)
"""


@contextlib.contextmanager
def serving(head=1000.0, stall=1000.0, files=None):
  """Yields what connects to a server in a process of its own."""
  limit = ['sh', '-c', f'ulimit -n {files}; exec "$@"', 'sh'] if files else []
  process = subprocess.Popen(
    [*limit, sys.executable, '-c', PROGRAM, str(head), str(stall)],
    cwd=ROOT,
    stdout=subprocess.PIPE,
  )
  try:
    port = int(process.stdout.readline())
    with contextlib.ExitStack() as stack:
      yield lambda: stack.enter_context(
        socket.create_connection(('127.0.0.1', port), timeout=60)
      )
  finally:
    process.kill()
    process.wait()
    process.stdout.close()


def answered(connection):
  connection.sendall(REQUEST)
  return toy.answer(connection)


def open_files(connect):
  with connect() as connection:
    return int(answered(connection).rpartition(b'\n')[2])


def hung_up(connection):
  try:
    return connection.recv(1000) == b''
  except ConnectionResetError:
    return True


@pytest.mark.parametrize(
  'proxies, believed',
  [('', False), ('192.0.2.1', False), ('127.0.0.1', True)],
)
def test_only_named_proxies_are_believed(monkeypatch, proxies, believed):
  monkeypatch.setenv('FORWARDED_ALLOW_IPS', '*')
  seen = []

  async def app(scope, *_):
    seen.append((scope['client'][0], scope['scheme']))

  config = server.server(app, proxies).config
  config.load()
  headers = {b'x-forwarded-for': b'192.0.2.7', b'x-forwarded-proto': b'https'}
  scope = {'type': 'http', 'scheme': 'http', 'client': ('127.0.0.1', 1)}
  scope['headers'] = list(headers.items())
  asyncio.run(config.loaded_app(scope, None, None))
  assert seen == [('192.0.2.7', 'https') if believed else ('127.0.0.1', 'http')]


def test_half_sent_heads_leave_room_for_others():
  """300 of them, where the system allows 256 open files."""
  with serving(files=256) as connect:
    held = []
    for _ in range(300):
      held.append(connect())
      held[-1].sendall(REQUEST[:-6])
    for _ in range(3):
      assert answered(connect()).startswith(b'HTTP/1.1 200')
    assert hung_up(held[0])
    held[-1].sendall(REQUEST[-6:])
    assert held[-1].recv(1000).startswith(b'HTTP/1.1 200')


def test_heads_have_to_come_soon():
  """The first one, a later one, and one that is not begun."""
  with serving(head=0.5) as connect:
    silent, half = connect(), connect()
    half.sendall(REQUEST[:-6])
    for _ in range(60):  # a busy machine may be late with the first one
      later = connect()
      with contextlib.suppress(OSError, IndexError):
        answered(later)
        later.sendall(REQUEST[:-6])
        break
    assert all(map(hung_up, (silent, half, later)))


def test_answers_have_to_be_read():
  with serving(stall=0.3) as connect:
    before = open_files(connect)
    stalled = connect()
    stalled.sendall(REQUEST.replace(b'/ ', b'/large '))
    stalled.recv(1, socket.MSG_PEEK)
    toy.comes_to(lambda: open_files(connect) == before)
    count = 0
    with contextlib.suppress(ConnectionResetError):
      while content := stalled.recv(1 << 20):
        count += len(content)
    assert count < 64 << 20
    assert answered(connect()).startswith(b'HTTP/1.1 200')


def test_a_body_is_sent_at_once(monkeypatch):
  """Not when its head was acknowledged, 40 ms later."""
  found = []

  class Accepting:
    def run(self, sockets):
      with socket.create_connection(sockets[0].getsockname()):
        with sockets[0].accept()[0] as accepted:
          option = socket.IPPROTO_TCP, socket.TCP_NODELAY
          found.append(accepted.getsockopt(*option))

  monkeypatch.setattr(server, 'server', lambda *_: Accepting())
  monkeypatch.setattr(server.signal, 'signal', lambda *_: None)
  with socket.create_server(('127.0.0.1', 0)) as listening:
    server.serve(None, listening)
  assert found == [1]
