"""One small service for all tests that change nothing in it."""

from __future__ import annotations

import contextlib
import dataclasses
import importlib.util
import json
import pathlib
import sys

import numpy as np
import pytest
import service_toy as toy

# Without the packages of the service none of this can be imported.
PACKAGES = 'av', 'fastapi', 'httpx', 'prometheus_client', 'uvicorn'
if not all(map(importlib.util.find_spec, PACKAGES)):
  collect_ignore_glob = ['*_test.py']

# In place of the command: tells its flags, and of ids 0 and 1.
TOLD = """
import json, sys, time
flags = sys.argv[1:]
if any(flag == '--keep=none' for flag in flags):
  sys.exit('error: --keep=none: no such rule; expected others.')
if '--keep=oldest' in flags:
  time.sleep(1000)
rows = [{'group': 1, 'id': id, 'path': '/secret/x.mp4'} for id in (0, 1, 99)]
open(flags[0].partition('=')[2] + '/log', 'a').write(json.dumps(flags) + '\\n')
print(json.dumps({'videos': 44, 'results': rows}))
"""


@dataclasses.dataclass
class Toy:
  """A running service.

  Attributes:
    address: where it answers.
    client: httpx.Client of that address.
    codes: of its index, by id.
    folder: of index, bundle and videos.
    service: service.Service.
    app: the application.
  """

  address: str
  client: object
  codes: np.ndarray
  folder: pathlib.Path
  service: object
  app: object

  def npy(self, address, frames, *, headers=(), **options):
    """The answer to features that are sent to an address."""
    headers = {'Content-Type': 'application/x-npy', **dict(headers)}
    content = toy.npy(frames)
    return self.client.post(
      address, content=content, headers=headers, **options
    )

  def film(self, content, address='/search/video', name='film.mp4', **options):
    """The answer to a video, the bytes or the path of one."""
    if isinstance(content, pathlib.Path):
      name, content = content.name, content.read_bytes()
    files = {'video': (name, content)}
    return self.client.post(address, files=files, **options)


@pytest.fixture(scope='session')
def bundle(tmp_path_factory):
  """The folder of the linear hash, and the hasher."""
  folder = tmp_path_factory.mktemp('bundle') / 'export'
  return folder, toy.write_bundle(folder)


@pytest.fixture(scope='session')
def clips(tmp_path_factory):
  """A folder of clips, by label."""
  folder = tmp_path_factory.mktemp('clips')
  for seed, name in enumerate(
    ('cat/one.webm', 'cat/two.mp4', 'dog/three.webm', 'dog/four.avi')
  ):
    toy.clip(folder / name, seed)
  return folder


@pytest.fixture(scope='session')
def start(bundle, clips):
  """Function that starts a service of its own in a folder."""

  @contextlib.contextmanager
  def started(folder, *, load=toy.load, keep_relaxed=True, **changes):
    import httpx

    from nph_jax.service import decoder_tasks, limits, start

    codes = toy.make_index(
      folder / 'index', bundle[1], clips, keep_relaxed=keep_relaxed
    )
    bounds = limits.Limits(
      **{'decode_seconds': 20.0, 'upload_bytes': 4 << 20}
      | changes.pop('bounds', {})
    )
    setup = limits.Setup(
      index=folder / 'index',
      bundle=bundle[0],
      cache=folder / 'cache',
      **{'videos': clips, 'backbone': 'toy', 'bounds': bounds} | changes,
    )
    with pytest.MonkeyPatch.context() as patch:
      patch.setattr(decoder_tasks, 'load', load)
      with start.service(setup) as (app, _), toy.running(app) as address:
        with httpx.Client(
          base_url=address, timeout=60, trust_env=False
        ) as client:
          service = app.state.service
          yield Toy(address, client, codes, folder, service, app)

  return started


@pytest.fixture(scope='session')
def served(start, tmp_path_factory):
  """The service that nobody changes."""
  with start(tmp_path_factory.mktemp('served')) as running:
    yield running


@pytest.fixture(scope='module')
def own(start, tmp_path_factory):
  """A service of the module's own, to be changed."""
  with start(tmp_path_factory.mktemp('own')) as running:
    yield running


@pytest.fixture
def told(own, monkeypatch):
  """The service, with a library; and what the command was told so far."""
  from nph_jax.library import store
  from nph_jax.service import duplicates

  monkeypatch.setattr(duplicates, '_COMMAND', (sys.executable, '-c', TOLD))
  monkeypatch.setattr(duplicates, '_SECONDS', 60)
  index = own.folder / 'index'
  (index / store.NAME).touch()
  own.service.duplicates._tasks.clear()
  log = index / 'log'
  yield own, lambda: [json.loads(x) for x in log.read_text().splitlines()]
  log.unlink(missing_ok=True)
  (index / store.NAME).unlink()
