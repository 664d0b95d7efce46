"""Who may ask, how much, and what every answer carries."""

from __future__ import annotations

import itertools

import httpx
import pytest
import service_toy as toy

from nph_jax.service import access, problems

TOKEN = 'a secret of the test'


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
    {'Cookie': f'{access.COOKIE}={TOKEN}'},
    {'Cookie': f'{access.COOKIE}='},
  ):
    answer = closed.client.request(method, path, headers=headers)
    toy.refused(answer, 401)
    assert answer.headers['www-authenticate'] == 'Bearer'
    closed.app.state.token.guesses = access.Guesses()


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


def test_what_is_no_token_is_a_sentence(closed):
  kind = {'Content-Type': 'application/json'}
  for token in ('"\\ud800"', '7', '"' + 'x' * 2000 + '"'):
    answer = closed.client.post(
      '/session', content=f'{{"token": {token}}}', headers=kind
    )
    toy.refused(answer, 422)


def test_without_a_backbone_videos_are_refused_in_words(closed, bearer):
  answer = closed.film(toy.HANGS, headers=bearer)
  assert '--backbone' in toy.refused(answer, 501)
  features = closed.npy('/search/features', toy.features(1), headers=bearer)
  assert features.status_code == 200


def test_without_t_nothing_is_ranked_by_it(closed, bearer):
  frames, post = toy.features(1), closed.client.post
  for answer in (
    post('/search?rank=asymmetric', json={'id': 0}, headers=bearer),
    post('/search?rerank=20', json={'id': 0}, headers=bearer),
    closed.npy('/search/features?rerank=20', frames, headers=bearer),
  ):
    toy.refused(answer, 422)


def test_read_only_changes_nothing(closed, bearer):
  for answer in (
    closed.client.post('/videos', content=b'', headers=bearer),
    closed.client.post('/videos/features', content=b'', headers=bearer),
    closed.client.delete('/videos/0', headers=bearer),
    closed.client.post('/duplicates/rejected', content=b'', headers=bearer),
  ):
    assert '--read_only' in toy.refused(answer, 403)
  assert len(closed.service.index) == 44
  # This changes nothing but the cache.
  answer = closed.client.post('/videos/0/converted', headers=bearer)
  assert answer.status_code == 404


def test_pages_of_other_sites_change_nothing(served):
  for origin, status in (
    ('http://evil.example', 403),
    ('null', 403),
    ('http://127.0.0.1:1', 403),
    ('http://[', 403),
    (served.address, 200),
  ):
    headers = {'Origin': origin}
    answer = served.client.post('/search', json={'id': 0}, headers=headers)
    assert answer.status_code == status


def test_a_token_is_enough_whatever_the_name(closed, bearer):
  headers = bearer | {'Host': 'some.example'}
  assert closed.client.get('/index', headers=headers).status_code == 200


@pytest.mark.parametrize(
  'host, accepted',
  [
    ('127.0.0.1:8000', True),
    ('192.168.1.7', True),
    ('[::1]:8000', True),
    ('localhost:8000', True),
    ('LocalHost', True),
    ('Search.Example:80', True),
    ('search.example.', True),
    ('other.example', False),
    ('localhost.other.example', False),
    ('other.example#@127.0.0.1', False),
    ('2130706433', False),
    ('', False),
    ('[', False),
  ],
)
def test_a_service_goes_by_its_names(named, host, accepted):
  """A page whose name leads here has an origin equal to that name."""
  headers = {'Host': host, 'Origin': f'http://{host}'}
  for method, path in (('GET', '/healthz'), ('POST', '/search')):
    answer = named.client.request(method, path, headers=headers)
    if accepted:
      assert answer.status_code == (200 if method == 'GET' else 422)
    else:
      assert '--allowed_hosts' in toy.refused(answer, 421)


@pytest.fixture(scope='module')
def named(start, tmp_path_factory):
  """A service with a name of its own."""
  hosts = {'hosts': ['search.example', '']}
  folder = tmp_path_factory.mktemp('named')
  with start(folder, load=toy.load_nothing, backbone=None, **hosts) as running:
    yield running


def test_guesses_are_slowed_down(closed, bearer):
  """Both ways of showing a token, and the right one too while it lasts."""
  own = closed.app.state.token
  now, others = [0.0], itertools.count()
  own.guesses = access.Guesses(lambda: now[0])
  wrong = {'Authorization': 'Bearer wrong'}

  def session(token):
    # A caller that says to be another is still the same one.
    headers = {'X-Forwarded-For': f'192.0.2.{next(others)}'}
    json = {'token': token}
    return closed.client.post('/session', json=json, headers=headers)

  try:
    statuses = [session('wrong').status_code for _ in range(3)]
    statuses += [
      closed.client.get('/index', headers=wrong).status_code for _ in range(3)
    ]
    assert statuses == [401] * 5 + [429]
    refused = session(TOKEN)
    toy.refused(refused, 429)
    assert 1 <= int(refused.headers['retry-after']) <= 2
    assert closed.client.get('/index', headers=bearer).status_code == 429
    assert closed.client.get('/healthz').status_code == 200
    now[0] = 1.1
    assert session('wrong').status_code == 401
    now[0] = 2.2  # the next has to wait twice as long
    assert session('wrong').status_code == 429
    now[0] = 3.3
    assert session(TOKEN).status_code == 204
    assert session('wrong').status_code == 401
  finally:
    own.guesses = access.Guesses()


def test_guesses_of_others_are_their_own():
  guesses = access.Guesses(lambda: 0.0)
  for _ in range(9):
    guesses.wrong('192.0.2.1')
    guesses.wrong('2001:db8::1')
  guesses.check('192.0.2.2')
  guesses.check('2001:db8:0:1::1')
  for caller in ('192.0.2.1', '2001:db8::ffff'):
    with pytest.raises(problems.Problem):
      guesses.check(caller)
  for number in range(10_000):
    guesses.wrong(f'10.0.{number >> 8}.{number & 255}')
  assert len(guesses._wrong) == 10_000


@pytest.mark.parametrize('path', ['/', '/nothing', '/videos/0/file', '/docs'])
def test_every_answer_bears_the_policy(served, path):
  headers = served.client.get(path).headers
  policy = headers['content-security-policy']
  assert policy.startswith("default-src 'none'") and 'unsafe' not in policy
  assert headers['x-content-type-options'] == 'nosniff'
