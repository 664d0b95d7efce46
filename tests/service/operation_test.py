"""What every service answers: errors in words, its figures, its manual."""

from __future__ import annotations

import concurrent.futures
import json
import threading

import fastapi
import httpx
import pytest
import service_toy as toy

from nph_jax import errors
from nph_jax.index import errors as index_errors
from nph_jax.service import problems, routes_pages

SCRIPTS = sorted(routes_pages.STATIC.glob('*.js'))


def test_wrong_addresses_and_methods_are_a_sentence(served):
  missing = served.client.get('/nothing')
  assert missing.json() == {
    'title': 'Not Found',
    'status': 404,
    'detail': 'There is nothing at this address; /docs lists what there is.',
  }
  assert 'method' in toy.refused(served.client.get('/search'), 405)
  for id in ('x', '-1', '9223372036854775807', '1.5'):
    answer = served.client.get(f'/videos/{id}')
    assert toy.refused(answer, 422).startswith('id: ')


def test_an_unexpected_failure_tells_the_caller_nothing():
  app = fastapi.FastAPI()
  problems.install(app)

  @app.get('/')
  def fail():
    raise RuntimeError('/secret/path')

  with toy.running(app) as address:
    assert toy.refused(httpx.get(address), 500) == problems.UNEXPECTED


def test_half_a_character_in_a_sentence_is_no_failure():
  answer = problems.answer(422, 'The name \ud800 is none.')
  assert json.loads(answer.body)['detail'] == 'The name ? is none.'


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
    served.client.request(f'NOTHING{number}', '/search')
  after = values()
  assert float(after[name]) == before + 1
  assert float(after['nph_index_videos']) == 44
  assert float(after['nph_queue_queries']) == 0
  for step in ('hashing', 'searching'):
    assert f'nph_batch_size_count{{step="{step}"}}' in after
  assert float(after['nph_in_progress_requests']) == 0
  assert not any('nothing' in line.lower() for line in after)
  assert any('route="/search"' in x and '_seconds_bucket' in x for x in after)


def test_the_documentation_needs_no_other_host(served):
  page = served.client.get('/docs').text
  script = served.client.get('/static/docs.js').text
  assert 'static/docs.js' in page and "'openapi.json'" in script
  api = served.client.get('/openapi.json').json()
  assert {'/videos/{id}', '/metrics'} <= set(api['paths'])
  for path, kind in (
    ('/search', 'application/json'),
    ('/search/features', 'application/x-npy'),
    ('/search/video', 'multipart/form-data'),
    ('/videos', 'multipart/form-data'),
    ('/videos/features', 'application/x-npy'),
  ):
    body = api['paths'][path]['post']['requestBody']
    assert list(body['content']) == [kind] and body['required']
    problem = api['paths'][path]['post']['responses']['default']['content']
    assert list(problem) == ['application/problem+json']
  scripts = [f'static/{path.name}' for path in SCRIPTS]
  for name in ('', 'docs', *scripts, 'static/page.css'):
    answer = served.client.get(f'/{name}')
    text = answer.text
    assert name[-3:] != '.js' or 'javascript' in answer.headers['content-type']
    assert 'http://' not in text.replace('http://www.w3.org/2000/svg', '')
    assert 'https://' not in text


@pytest.mark.parametrize(
  'kind, status',
  [
    (index_errors.InvalidRequest, 422),
    (index_errors.UnknownVideo, 404),
    (index_errors.Unavailable, 503),
    (index_errors.Damaged, 503),
    (errors.UserError, 503),
  ],
)
def test_an_error_of_the_index_is_of_its_kind(
  served, monkeypatch, kind, status
):
  """Not of its cause's or its words', and without paths of this machine."""

  def fail(*_, **__):
    raise kind(f'{served.service.setup.index}: no such id.') from KeyError('id')

  for name in ('get', 'ids', 'known', 'search', '__len__'):
    monkeypatch.setattr(type(served.service.index), name, fail)
  frames = toy.features(1)
  for answer in (
    served.client.get('/videos'),
    served.client.delete('/videos/3'),
    served.npy('/videos/features', frames),
    served.npy('/search/features', frames),
    served.client.get('/videos/3'),
    served.client.get('/videos/3/thumbnail'),
    served.client.get('/index'),
    served.client.post('/search', json={'id': 3}),
  ):
    assert toy.refused(answer, status) == 'the index: no such id.'


@pytest.mark.parametrize('path', ['/', '/docs', '/healthz'])
def test_heads_are_answered(served, path):
  head = served.client.head(path)
  assert head.status_code == 200 and head.content == b''
  assert head.headers['content-length'] != '0'


def test_health_waits_for_nothing(served):
  """Neither for the index' lock nor for a free thread."""
  holding, done = threading.Event(), threading.Event()

  def hold():
    with served.service.index._lock:
      holding.set()
      done.wait(60)

  holder = threading.Thread(target=hold)
  holder.start()
  try:
    assert holding.wait(60)
    with concurrent.futures.ThreadPoolExecutor(64) as threads:
      for _ in range(64):
        threads.submit(httpx.get, f'{served.address}/index', timeout=60)
      answer = httpx.get(f'{served.address}/healthz', timeout=20)
      assert answer.json() == {'status': 'ok'}
      assert not done.is_set()
      done.set()
  finally:
    done.set()
    holder.join()
