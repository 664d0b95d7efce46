"""Who may ask, how much, and what every answer carries."""

from __future__ import annotations

import asyncio
import socket

import pytest

pytest.importorskip('fastapi')
pytest.importorskip('av')
pytest.importorskip('httpx')

import fastapi
import httpx
import service_toy as toy

from nph_jax import errors
from nph_jax.service import guard, limits, problems

TOKEN = 'a secret of the test'
NPY = {'Content-Type': 'application/x-npy'}


@pytest.fixture(scope='module')
def closed(start, tmp_path_factory):
  """A service with a token, without backbone and t, that only searches."""
  with start(
    tmp_path_factory.mktemp('closed'),
    token=TOKEN,
    load=toy.load_nothing,
    backbone=None,
    keep_relaxed=False,
    read_only=True,
    videos=None,
  ) as running:
    yield running


@pytest.fixture
def bearer():
  return {'Authorization': f'Bearer {TOKEN}'}


@pytest.mark.parametrize(
  'path', ['/', '/healthz', '/docs', '/openapi.json', '/static/page.js']
)
def test_pages_need_no_token(closed, path):
  assert closed.client.get(path).status_code == 200


@pytest.mark.parametrize(
  'method, path',
  [
    ('GET', '/index'),
    ('GET', '/metrics'),
    ('GET', '/videos'),
    ('GET', '/videos/0/file'),
    ('GET', '/videos/0/thumbnail'),
    ('POST', '/search'),
    ('POST', '/videos'),
    ('DELETE', '/videos/0'),
    ('GET', '/no/such/page'),
    ('GET', '/static/../index'),
  ],
)
def test_the_rest_needs_the_token(closed, method, path):
  for headers in (
    {},
    {'Authorization': 'Bearer'},
    {'Authorization': 'Bearer wrong'},
    {'Authorization': f'Basic {TOKEN}'},
    {'Authorization': TOKEN},
    {'Authorization': 'Bearer ä'.encode('latin-1')},
    {'Cookie': f'{guard.COOKIE}={TOKEN}'},
    {'Cookie': f'{guard.COOKIE}='},
  ):
    answer = closed.client.request(method, path, headers=headers)
    assert answer.status_code == 401 and list(answer.json()) == ['error']
    assert answer.headers['www-authenticate'] == 'Bearer'


def test_the_token_opens(closed, bearer):
  index = closed.client.get('/index', headers=bearer).json()
  assert index['size'] == 44 and index['read_only'] and not index['rerank']
  found = closed.client.post('/search?k=3', json={'id': 0}, headers=bearer)
  assert [x['id'] for x in found.json()['results']] == [
    id
    for _, id in toy.nearest(closed.codes[0], closed.codes[1:], range(1, 44), 3)
  ]


def test_a_page_exchanges_the_token_for_a_cookie(closed):
  with httpx.Client(base_url=closed.address, trust_env=False) as client:
    wrong = client.post('/session', json={'token': 'wrong'})
    assert wrong.status_code == 401 and not client.cookies
    right = client.post('/session', json={'token': TOKEN})
    assert right.status_code == 204
    cookie = right.headers['set-cookie']
    assert 'HttpOnly' in cookie and 'SameSite=strict' in cookie
    assert TOKEN not in cookie
    assert client.get('/index').status_code == 200
    assert client.get('/videos/9/thumbnail').status_code == 200


def test_without_a_backbone_videos_are_refused_in_words(closed, bearer):
  answer = closed.client.post(
    '/search', files={'video': toy.HANGS}, headers=bearer
  )
  assert answer.status_code == 501
  assert '--backbone' in answer.json()['error']
  features = closed.client.post(
    '/search',
    content=toy.npy(toy.features(1)),
    headers=bearer | NPY,
  )
  assert features.status_code == 200


def test_without_t_nothing_is_reranked(closed, bearer):
  for body in (
    {'json': {'id': 0}, 'headers': bearer},
    {'content': toy.npy(toy.features(1)), 'headers': bearer | NPY},
  ):
    answer = closed.client.post('/search?rerank=20', **body)
    assert answer.status_code == 422
    assert str(closed.folder) not in answer.json()['error']


def test_read_only_changes_nothing(closed, bearer):
  for answer in (
    closed.client.post('/videos', content=b'', headers=bearer | NPY),
    closed.client.delete('/videos/0', headers=bearer),
  ):
    assert answer.status_code == 403
    assert '--read_only' in answer.json()['error']
  assert len(closed.service.index) == 44


def test_pages_of_other_sites_change_nothing(served):
  for origin in ('http://evil.example', 'null', 'http://127.0.0.1:1'):
    answer = served.client.post(
      '/search', json={'id': 0}, headers={'Origin': origin}
    )
    assert answer.status_code == 403
  own = served.client.post(
    '/search', json={'id': 0}, headers={'Origin': served.address}
  )
  assert own.status_code == 200


@pytest.mark.parametrize('path', ['/', '/nothing', '/videos/0/file', '/docs'])
def test_every_answer_bears_the_policy(served, path):
  headers = served.client.get(path).headers
  policy = headers['content-security-policy']
  assert policy.startswith("default-src 'none'") and 'unsafe' not in policy
  assert headers['x-content-type-options'] == 'nosniff'


def test_wrong_addresses_and_methods_are_a_sentence(served):
  missing = served.client.get('/nothing')
  assert missing.status_code == 404
  assert missing.json() == {
    'error': 'There is nothing at this address; /docs lists what there is.'
  }
  assert served.client.get('/search').status_code == 405
  assert list(served.client.get('/search').json()) == ['error']
  for id in ('x', '-1', '9223372036854775807', '1.5'):
    answer = served.client.get(f'/videos/{id}')
    assert answer.status_code == 422 and answer.json()['error'][:4] == 'id: '


def test_an_announced_upload_is_refused_before_it_comes(served):
  """The answer arrives though not a byte of the body was sent."""
  host, port = served.address.removeprefix('http://').split(':')
  with socket.create_connection((host, int(port)), timeout=20) as connection:
    connection.sendall(
      b'POST /search HTTP/1.1\r\nHost: x\r\nContent-Type: '
      b'multipart/form-data; boundary=x\r\nContent-Length: 99999999\r\n\r\n'
    )
    answer = connection.recv(4000)
  assert answer.startswith(b'HTTP/1.1 413')
  assert b'larger than the 4 MiB' in answer


def test_an_unannounced_upload_is_cut_at_the_limit(served):
  sent = 0

  def endless():
    nonlocal sent
    yield b'--x\r\nContent-Disposition: form-data; name="video"; '
    yield b'filename="x"\r\n\r\n'
    while sent < 400 << 20:
      sent += 1 << 20
      yield b'\0' * (1 << 20)

  headers = {'Content-Type': 'multipart/form-data; boundary=x'}
  try:
    answer = served.client.post('/search', content=endless(), headers=headers)
    assert answer.status_code == 413
  except httpx.TransportError:
    pass  # the service hung up, which a sender may meet first
  assert sent < 60 << 20


def test_too_many_searches_are_told_when_to_come_back(served):
  gate = served.service.gate
  places, gate._places = gate._places, 0
  try:
    for method, path in (('POST', '/search'), ('POST', '/videos')):
      answer = served.client.request(method, path, json={'id': 0})
      assert answer.status_code == 503
      assert answer.headers['retry-after'] == '1'
      assert 'as many as it takes' in answer.json()['error']
    assert served.client.get('/healthz').status_code == 200
  finally:
    gate._places = places
  assert served.client.post('/search', json={'id': 0}).status_code == 200


def test_a_gate_counts():
  gate = limits.Gate(2, 'videos')
  with gate.enter(), gate.enter():
    with pytest.raises(problems.Problem) as caught, gate.enter():
      pass
    assert caught.value.status == 503 and gate.inside == 2
  assert gate.inside == 0


def test_slow_bodies_are_given_up():
  async def slow():
    async with limits.within(0.01):
      await asyncio.sleep(10)

  with pytest.raises(problems.Problem) as caught:
    asyncio.run(slow())
  assert caught.value.status == 408


def test_an_unexpected_failure_tells_the_caller_nothing():
  app = fastapi.FastAPI()
  problems.install(app)

  @app.get('/')
  def fail():
    raise RuntimeError('/secret/path')

  async def ask():
    transport = httpx.ASGITransport(app, raise_app_exceptions=False)
    async with httpx.AsyncClient(
      transport=transport, base_url='http://x'
    ) as client:
      return await client.get('/')

  answer = asyncio.run(ask())
  assert answer.status_code == 500
  assert answer.json() == {'error': problems.UNEXPECTED}


def test_metrics_count(served):
  def values():
    lines = served.client.get('/metrics').text.splitlines()
    return dict(x.rsplit(' ', 1) for x in lines if not x.startswith('#'))

  name = 'nph_requests_total{method="POST",route="/search",status="200"}'
  before = float(values().get(name, 0))
  served.client.post('/search', json={'id': 0})
  served.client.post('/search', json={'id': 'x'})
  for number in range(30):
    served.client.get(f'/nothing/{number}')
  after = values()
  assert float(after[name]) == before + 1
  assert float(after['nph_index_videos']) == 44
  assert float(after['nph_queue_queries']) == 0
  assert float(after['nph_batch_size_count{step="searching"}']) >= 1
  assert float(after['nph_in_progress_requests']) == 0
  assert not any('nothing' in line for line in after)
  assert any('route="/search"' in x and '_seconds_bucket' in x for x in after)


def test_the_documentation_needs_no_other_host(served):
  page = served.client.get('/docs').text
  script = served.client.get('/static/docs.js').text
  assert '/static/docs.js' in page and '/openapi.json' in script
  api = served.client.get('/openapi.json').json()
  assert {'/search', '/videos', '/videos/{id}', '/metrics'} <= set(api['paths'])
  search = api['paths']['/search']['post']
  assert set(search['requestBody']['content']) == {
    'multipart/form-data',
    'application/x-npy',
    'application/json',
  }
  for name in ('', 'docs', 'static/page.js', 'static/page.css'):
    text = served.client.get(f'/{name}').text
    assert 'http://' not in text.replace('http://www.w3.org/2000/svg', '')
    assert 'https://' not in text


def test_sentences_lose_the_paths_of_this_machine():
  error = errors.UserError('/data/index: holds nothing like that.')
  assert problems.without_paths(error, {'/data/index': 'the index'}) == (
    'the index: holds nothing like that.'
  )
