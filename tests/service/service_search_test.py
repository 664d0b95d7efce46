"""Searching over HTTP: every answer against brute force, every refusal."""

from __future__ import annotations

import concurrent.futures
import json

import httpx
import numpy as np
import pytest
import service_toy as toy

from nph_jax.index.records import Segments
from nph_jax.service import service as service_lib

NPY = {'Content-Type': 'application/x-npy'}


def pairs(answer):
  assert answer.status_code == 200, answer.text
  return [(x['distance'], x['id']) for x in answer.json()['results']]


def expected(served, t, k, *, but=None, ids=None):
  ids = range(len(served.codes)) if ids is None else ids
  ids = [id for id in ids if id != but]
  return toy.ranked(t, served.codes[ids], ids, k)


def test_features_find_what_brute_force_finds(served):
  for seed in range(5):
    frames = toy.features(1, 100 + seed)
    for body in (frames, frames[0], np.asfortranarray(frames[0]).astype('>f8')):
      answer = served.client.post(
        '/search/features?k=7', content=toy.npy(body), headers=NPY
      )
      assert pairs(answer) == expected(served, toy.relaxed(frames)[0], 7)


@pytest.mark.parametrize('rank', [None, 'hamming', 'asymmetric'])
def test_every_ranking_is_that_of_the_index(served, clips, rank):
  index, post = served.service.index, served.client.post
  wanted = {'k': 9} | ({'rank': rank} if rank else {})
  frames, film = toy.features(1, 600), clips / 'cat/two.mp4'
  seen, content = toy.clip_features(film), toy.npy(frames)
  code, t, _ = index.get(17)
  for query, own, path, sent in (
    ((code[None], t[None]), 17, '', {'json': {'id': 17}}),
    (both(frames), None, '/features', {'content': content, 'headers': NPY}),
    (both(seen), None, '/video', {'files': {'video': film.read_bytes()}}),
  ):
    answer = post(f'/search{path}', params=wanted, **sent)
    (hits,) = index.search(query[0], 10, rank=rank, relaxed=query[1])
    hits = [hit for hit in hits if hit.id != own][:9]
    assert pairs(answer) == [(hit.distance, hit.id) for hit in hits]
    scores = [result['score'] for result in answer.json()['results']]
    if rank == 'hamming':
      assert scores == [None] * 9
      assert pairs(answer) != expected(served, query[1][0], 9, but=own)
    else:
      assert scores == pytest.approx([hit.score for hit in hits], abs=1e-5)


@pytest.mark.parametrize('rank', [None, 'hamming', 'asymmetric', 'rerank'])
def test_a_code_finds_what_its_video_found(served, clips, rank):
  """And similarity is in the order of the results, 1 of itself."""
  wanted = {'k': 9, 'bits': True}
  wanted |= (
    {'rerank': 44} if rank == 'rerank' else {'rank': rank} if rank else {}
  )
  files = {'video': (clips / 'cat/two.mp4').read_bytes()}
  post = served.client.post
  first = post('/search/video', params=wanted, files=files).json()
  query = {name: first['query'][name] for name in ('code', 'relaxed')}
  again = post('/search/code', params=wanted, json=query).json()
  assert again['results'] == first['results']
  near = [result['similarity'] for result in first['results']]
  assert near == sorted(near, reverse=True)
  assert near[0] == pytest.approx(1, abs=1e-3) and near[1] < 0.9
  if rank == 'hamming':
    distances = [result['distance'] for result in first['results']]
    assert near == [round(1 - distance / 16, 4) for distance in distances]
    del query['relaxed']
    again = post('/search/code', params=wanted, json=query)
    assert again.json()['results'] == first['results']


@pytest.mark.parametrize(
  'body, words',
  [
    ({'code': [0, 1] * 15}, 'code: has 30 values, not 32'),
    ({'code': [0, 2] * 16}, 'code: '),
    ({'code': [0, 1] * 16, 'relaxed': [1.0]}, 'relaxed: has 1 values'),
    ({'code': [0, 1] * 16, 'relaxed': ['nan'] * 32}, 'relaxed: '),
    ({'code': 'ff'}, 'code: '),
    ({}, 'code: '),
    ({'code': [0] * 9000}, 'The body is larger'),
  ],
)
def test_what_is_no_code_is_a_sentence(served, body, words):
  answer = served.client.post('/search/code', json=body)
  assert answer.status_code in (413, 422)
  assert answer.json()['detail'].startswith(words)


def both(frames):
  return toy.codes(frames), toy.relaxed(frames)


@pytest.mark.parametrize('kind', ['Application/JSON', 'application/json;a=b'])
def test_types_are_no_matter_of_case(served, kind):
  answer = served.client.post(
    '/search', content=b'{"id": 3}', headers={'Content-Type': kind}
  )
  t = served.service.index.get(3)[1]
  assert pairs(answer) == expected(served, t, 10, but=3)


@pytest.mark.parametrize('id', [0, 3, 17])
def test_an_id_finds_all_others(served, id):
  answer = served.client.post('/search?k=50', json={'id': id})
  t = served.service.index.get(id)[1]
  assert pairs(answer) == expected(served, t, 50, but=id)
  assert answer.json()['query']['id'] == id


@pytest.mark.parametrize(
  'name', ['cat/one.webm', 'cat/two.mp4', 'dog/four.avi']
)
def test_an_indexed_video_finds_itself_first(served, clips, name):
  answer = served.client.post(
    '/search/video?k=4',
    files={'video': (f'C:\\somewhere\\{name}', (clips / name).read_bytes())},
  )
  (t,) = toy.relaxed(toy.clip_features(clips / name))
  assert pairs(answer) == expected(served, t, 4)
  first = answer.json()['results'][0]
  assert first['distance'] == 0 and first['metadata']['path'] == name
  query = answer.json()['query']
  assert query['metadata']['name'] == name.partition('/')[2]
  assert query['metadata']['duration'] == pytest.approx(1, abs=0.1)
  assert len(query['metadata']['frame_times']) == toy.NUM_FRAMES
  assert query['metadata']['width'] == query['metadata']['height'] == 64
  assert query['thumbnail'].startswith('data:image/jpeg;base64,')


def test_radius_and_where_filter(served):
  frames = toy.features(1, 300)
  (t,) = toy.relaxed(frames)
  near = served.client.post(
    '/search/features?k=50&radius=13', content=toy.npy(frames), headers=NPY
  )
  inside = [x for x in expected(served, t, 50) if x[0] <= 13]
  assert 0 < len(inside) < 44 and pairs(near) == inside
  cats = served.client.post(
    '/search/features',
    params={'k': 50, 'where': json.dumps({'labels': 'digit 1'})},
    content=toy.npy(frames),
    headers=NPY,
  )
  ids = [id for id in range(4, 44) if id % 4 == 1]
  assert pairs(cats) == expected(served, t, 50, ids=ids)


def test_rerank_orders_the_nearest_by_t(served):
  frames = toy.features(1, 400)
  answer = served.client.post(
    '/search/features?k=6&rerank=20', content=toy.npy(frames), headers=NPY
  )
  near = toy.nearest(toy.codes(frames), served.codes, range(44), 20)
  near = [id for _, id in near]
  index = served.service.index
  t = np.stack([index.get(id)[1] for id in near])
  query = toy.relaxed(frames)[0]
  cosines = t @ query / np.linalg.norm(t, axis=1) / np.linalg.norm(query)
  order = np.argsort(-cosines)[:6]
  results = answer.json()['results']
  assert [x['id'] for x in results] == [near[place] for place in order]
  np.testing.assert_allclose(
    [x['score'] for x in results], cosines[order], rtol=1e-5
  )


def test_an_id_can_be_reranked(served):
  results = served.client.post('/search?k=5&rerank=10', json={'id': 9}).json()[
    'results'
  ]
  scores = [x['score'] for x in results]
  assert 9 not in [x['id'] for x in results]
  assert scores == sorted(scores, reverse=True) and len(scores) == 5


def test_bits_are_those_that_differ(served):
  answer = served.client.post('/search?k=5&bits=true', json={'id': 5})
  assert (
    answer.json()['query']['code'] == np.unpackbits(served.codes[5]).tolist()
  )
  for result in answer.json()['results']:
    both = np.unpackbits(served.codes[5] ^ served.codes[result['id']])
    assert result['differing_bits'] == np.flatnonzero(both).tolist()
    assert len(result['differing_bits']) == result['distance']


def test_labels_say_right_or_wrong(served):
  results = served.client.post('/search?k=50', json={'id': 0}).json()['results']
  for result in results:
    assert result['relevant'] == (result['metadata']['labels'] == ['cat'])
  unlabelled = served.client.post(
    '/search/features?k=3', content=toy.npy(toy.features(1)), headers=NPY
  ).json()['results']
  assert [x['relevant'] for x in unlabelled] == [None] * 3


def test_everybody_gets_their_own_answer(served):
  """Concurrent callers with different k, radius and filters."""
  frames = toy.features(60, 500)
  params = [
    {'k': 1 + number % 7}
    | ({'radius': 14} if number % 3 == 0 else {})
    | ({'where': '{"labels": "digit 2"}'} if number % 5 == 0 else {})
    for number in range(60)
  ]

  def ask(number):
    with httpx.Client(base_url=served.address, trust_env=False) as client:
      return client.post(
        '/search/features',
        params=params[number],
        content=toy.npy(frames[number]),
        headers=NPY,
        timeout=60,
      )

  with concurrent.futures.ThreadPoolExecutor(16) as threads:
    answers = list(threads.map(ask, range(60)))
  for number, answer in enumerate(answers):
    (t,), asked = toy.relaxed(frames[number : number + 1]), params[number]
    ids = [id for id in range(4, 44) if id % 4 == 2]
    found = expected(served, t, 44, ids=ids if 'where' in asked else None)
    found = [x for x in found if x[0] <= asked.get('radius', 32)]
    assert pairs(answer) == found[: asked['k']], number


def test_an_upload_is_found_where_it_is_within_a_video(start, clips, tmp_path):
  """Its frames stand still, one segment each; others have none."""
  with start(tmp_path) as served:
    index, post = served.service.index, served.client.post
    film = (clips / 'cat/two.mp4').read_bytes()
    frames = toy.clip_features(clips / 'cat/two.mp4')[0]
    still = np.repeat(frames[:, None], toy.NUM_FRAMES, axis=1)
    strange = toy.features(6, 700)
    codes = toy.codes(np.concatenate([strange, still, strange]))
    code, t, _ = index.get(5)
    (long,) = index.add(
      code[None], [{'labels': ['long']}], t[None],
      segments=[Segments(0.25, 4.0, codes)],
    )  # fmt: skip
    answer = post('/search/video', files={'video': film})
    (found,) = answer.json()['results']
    assert found['id'] == long and found['distance'] == 0
    assert found['start'] == pytest.approx(1.5, abs=0.1)
    assert found['end'] - found['start'] == pytest.approx(1.0, abs=0.01)
    key = {'upload': answer.json()['query']['upload']}
    for wanted in ('', '?where={"labels":"long"}'):
      again = post(f'/search/upload{wanted}', json=key)
      assert again.json()['results'] == answer.json()['results']
    assert again.json()['query'] == answer.json()['query']
    other = post('/search/upload?where={"labels":"dog"}', json=key)
    assert other.json()['results'] == []
    for asked in (
      post('/search/video?rank=hamming', files={'video': film}),
      post('/search', json={'id': int(long)}),
    ):
      assert asked.json()['results'][0]['start'] is None
      assert len(asked.json()['results']) == 10


def test_the_longest_ago_of_uploads_are_forgotten(own, monkeypatch):
  bytes_of_one = 2 * toy.NUM_FRAMES * toy.FEATURE_DIM
  monkeypatch.setattr(service_lib, '_RECENT_BYTES', 2 * bytes_of_one)
  keys, post = [], own.client.post
  for seed in (1, 2, 1, 3):
    content = toy.npy(toy.features(1, seed))
    answer = post('/search/features', content=content, headers=NPY)
    keys.append({'upload': answer.json()['query']['upload']})
    assert post('/search/upload', json=keys[0]).json()['query']['upload']
  assert keys[0] == keys[2]
  assert 'forgotten' in toy.refused(post('/search/upload', json=keys[1]), 404)
  assert post('/search/upload', json=keys[3]).status_code == 200
  toy.refused(post('/search/upload', json={'upload': '../x'}), 422)
