"""Searching over HTTP: every answer against brute force, every refusal."""

from __future__ import annotations

import concurrent.futures
import json

import numpy as np
import pytest
import service_toy as toy

from nph_jax.index.records import Segments
from nph_jax.service import service as service_lib


def pairs(answer):
  assert answer.status_code == 200, answer.text
  return [(x['distance'], x['id']) for x in answer.json()['results']]


def expected(served, t, k, *, rank=None, but=None, ids=range(44)):
  ids = [id for id in ids if id != but]
  if rank == 'hamming':
    return toy.nearest(np.packbits(t >= 0), served.codes[ids], ids, k)
  return toy.ranked(t, served.codes[ids], ids, k)


@pytest.mark.parametrize('rank', [None, 'hamming', 'asymmetric'])
def test_every_query_finds_what_brute_force_finds(served, clips, rank):
  """An id, features however they are laid out, and an upload."""
  wanted = {'params': {'k': 9} | ({'rank': rank} if rank else {})}
  frames, film = toy.features(1, 600), clips / 'cat/two.mp4'
  answers = [
    (None, frames, served.npy('/search/features', body, **wanted))
    for body in (frames, frames[0], np.asfortranarray(frames[0]).astype('>f8'))
  ]
  seen = toy.clip_features(film)
  answers.append((None, seen, served.film(film, **wanted)))
  for id in (0, 17):
    answer = served.client.post('/search', json={'id': id}, **wanted)
    assert answer.json()['query']['id'] == id
    answers.append((id, served.service.index.get(id)[1][None], answer))
  for id, query, answer in answers:
    t = query[0] if id is not None else toy.relaxed(query)[0]
    assert pairs(answer) == expected(served, t, 9, rank=rank, but=id)
    results = answer.json()['results']
    found = np.unpackbits(served.codes[[x['id'] for x in results]], axis=1)
    cosines = (found * 2.0 - 1) @ t / np.linalg.norm(t) / toy.NUM_BITS**0.5
    scores = [None] * 9 if rank == 'hamming' else pytest.approx(cosines, 1e-4)
    assert [result['score'] for result in results] == scores


def test_what_is_known_of_an_upload_is_told(served, clips):
  content = (clips / 'cat/one.webm').read_bytes()
  answer = served.film(content, name='C:\\somewhere\\cat/film.webm').json()
  assert answer['results'][0]['metadata']['path'] == 'cat/one.webm'
  about = answer['query']['metadata']
  assert about['name'] == 'film.webm' and about['backbone'] == 'toy'
  assert about['duration'] == pytest.approx(1, abs=0.1)
  assert len(about['frame_times']) == toy.NUM_FRAMES
  assert about['width'] == about['height'] == 64
  assert answer['query']['thumbnail'].startswith('data:image/jpeg;base64,')


@pytest.mark.parametrize('rank', [None, 'hamming', 'asymmetric', 'rerank'])
def test_a_code_finds_what_its_video_found(served, clips, rank):
  """And similarity is in the order of the results, 1 of itself."""
  wanted = {'k': 9, 'bits': True}
  wanted |= (
    {'rerank': 44} if rank == 'rerank' else {'rank': rank} if rank else {}
  )
  post = served.client.post
  first = served.film(clips / 'cat/two.mp4', params=wanted).json()
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


@pytest.mark.parametrize('kind', ['Application/JSON', 'application/json;a=b'])
def test_types_are_no_matter_of_case(served, kind):
  answer = served.client.post(
    '/search', content=b'{"id": 3}', headers={'Content-Type': kind}
  )
  t = served.service.index.get(3)[1]
  assert pairs(answer) == expected(served, t, 10, but=3)


def test_radius_and_where_filter(served):
  frames = toy.features(1, 300)
  (t,) = toy.relaxed(frames)
  near = served.npy('/search/features?k=50&radius=13', frames)
  inside = [x for x in expected(served, t, 50) if x[0] <= 13]
  assert 0 < len(inside) < 44 and pairs(near) == inside
  wanted = {'k': 50, 'where': json.dumps({'labels': 'digit 1'})}
  cats = served.npy('/search/features', frames, params=wanted)
  ids = [id for id in range(4, 44) if id % 4 == 1]
  assert pairs(cats) == expected(served, t, 50, ids=ids)


def test_rerank_orders_the_nearest_by_t(served):
  frames, index = toy.features(1, 400), served.service.index
  queries = [(None, toy.relaxed(frames)[0]), (9, index.get(9)[1])]
  for id, t in queries:
    wanted = '?k=6&rerank=20'
    answer = (
      served.npy(f'/search/features{wanted}', frames)
      if id is None
      else served.client.post(f'/search{wanted}', json={'id': id})
    )
    near = expected(served, t, 20, rank='hamming', but=id)
    near = [found for _, found in near]
    values = np.stack([index.get(found)[1] for found in near])
    cosines = values @ t / np.linalg.norm(values, axis=1) / np.linalg.norm(t)
    order = np.argsort(-cosines)[:6]
    results = answer.json()['results']
    assert [x['id'] for x in results] == [near[place] for place in order]
    np.testing.assert_allclose(
      [x['score'] for x in results], cosines[order], rtol=1e-5
    )


def test_bits_are_those_that_differ(served):
  answer = served.client.post('/search?k=5&bits=true', json={'id': 5}).json()
  assert answer['query']['code'] == np.unpackbits(served.codes[5]).tolist()
  for result in answer['results']:
    both = np.unpackbits(served.codes[5] ^ served.codes[result['id']])
    assert result['differing_bits'] == np.flatnonzero(both).tolist()
    assert len(result['differing_bits']) == result['distance']


def test_labels_say_right_or_wrong(served):
  results = served.client.post('/search?k=50', json={'id': 0}).json()['results']
  for result in results:
    assert result['relevant'] == (result['metadata']['labels'] == ['cat'])
  other = served.npy('/search/features?k=3', toy.features(1)).json()
  assert [x['relevant'] for x in other['results']] == [None] * 3


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
    wanted = {'params': params[number]}
    return served.npy('/search/features', frames[number], **wanted)

  with concurrent.futures.ThreadPoolExecutor(16) as threads:
    answers = list(threads.map(ask, range(60)))
  for number, answer in enumerate(answers):
    (t,), asked = toy.relaxed(frames[number : number + 1]), params[number]
    ids = [id for id in range(4, 44) if id % 4 == 2]
    ids = ids if 'where' in asked else range(44)
    found = expected(served, t, 44, ids=ids)
    found = [x for x in found if x[0] <= asked.get('radius', 32)]
    assert pairs(answer) == found[: asked['k']], number


def test_an_upload_is_found_where_it_is_within_a_video(start, clips, tmp_path):
  """Its frames stand still, one segment each; others have none."""
  with start(tmp_path) as served:
    index, post = served.service.index, served.client.post
    film = clips / 'cat/two.mp4'
    frames = toy.clip_features(film)[0]
    still = np.repeat(frames[:, None], toy.NUM_FRAMES, axis=1)
    strange = toy.features(6, 700)
    codes = toy.codes(np.concatenate([strange, still, strange]))
    code, t, _ = index.get(5)
    (long,) = index.add(
      code[None], [{'labels': ['long']}], t[None],
      segments=[Segments(0.25, 4.0, codes)],
    )  # fmt: skip
    answer = served.film(film)
    hits = answer.json()['results']
    # The film itself and others, as a whole.
    assert hits[0]['distance'] == 0 and len(hits) == 10
    (found,) = (hit for hit in hits if hit['start'] is not None)
    assert found['id'] == long and found['distance'] == 0
    assert found['start'] == pytest.approx(1.5, abs=0.1)
    assert found['end'] - found['start'] == pytest.approx(1.0, abs=0.01)
    key = {'upload': answer.json()['query']['upload']}
    again = post('/search/upload?where={"labels":"long"}', json=key)
    (alone,) = again.json()['results']
    assert alone['start'] == found['start']
    again = post('/search/upload', json=key)
    assert again.json()['results'] == hits
    assert again.json()['query'] == answer.json()['query']
    other = post('/search/upload?where={"labels":"dog"}', json=key)
    assert {hit['start'] for hit in other.json()['results']} == {None}
    for asked in (
      served.film(film, '/search/video?rank=hamming'),
      post('/search', json={'id': int(long)}),
    ):
      assert asked.json()['results'][0]['start'] is None
      assert len(asked.json()['results']) == 10


def test_the_longest_ago_of_uploads_are_forgotten(own, monkeypatch):
  bytes_of_one = 2 * toy.NUM_FRAMES * toy.FEATURE_DIM
  monkeypatch.setattr(service_lib, '_RECENT_BYTES', 2 * bytes_of_one)
  keys, post = [], own.client.post
  for seed in (1, 2, 1, 3):
    answer = own.npy('/search/features', toy.features(1, seed))
    keys.append({'upload': answer.json()['query']['upload']})
    assert post('/search/upload', json=keys[0]).json()['query']['upload']
  assert keys[0] == keys[2]
  assert 'forgotten' in toy.refused(post('/search/upload', json=keys[1]), 404)
  assert post('/search/upload', json=keys[3]).status_code == 200
  toy.refused(post('/search/upload', json={'upload': '../x'}), 422)
