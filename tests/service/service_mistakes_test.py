"""What callers do wrong over HTTP: a sentence, and nothing changes."""

from __future__ import annotations

import pytest

pytest.importorskip('fastapi')
pytest.importorskip('av')
pytest.importorskip('httpx')

import service_toy as toy

from nph_jax import errors

NPY = {'Content-Type': 'application/x-npy'}


def refused(answer, status):
  assert answer.status_code == status, answer.text
  assert list(answer.json()) == ['error']
  sentence = answer.json()['error']
  assert sentence.endswith('.') and len(sentence) < 300
  assert 'Traceback' not in sentence
  return sentence


@pytest.mark.parametrize(
  'params, words',
  [
    ({'k': 0}, 'k: '),
    ({'k': 1001}, 'k: 1001 is more than 1000.'),
    ({'k': 'many'}, 'k: '),
    ({'radius': -1}, 'radius: '),
    ({'radius': 33}, 'radius'),
    ({'rerank': 3}, 'rerank: 3 is less than k, 10'),
    ({'rerank': 2000}, 'rerank: 2000 is more than 1000.'),
    ({'where': 'dog'}, 'where: is not JSON.'),
    ({'where': '["dog"]'}, 'where: expected an object'),
    ({'where': '{"labels": {}}'}, 'where: expected an object'),
    ({'where': '[' * 5000}, 'where: is not JSON.'),
    ({'where': '{"\\ud800": 1}'}, 'where: is not JSON.'),
    ({'where': '{"a": "\\udfff"}'}, 'where: is not JSON.'),
    ({'where': '{"a": NaN}'}, 'where: is not JSON.'),
    ({'where': '{"a": -Infinity}'}, 'where: is not JSON.'),
    ({'where': '{"a": 1e999}'}, 'where: is not JSON.'),
  ],
)
def test_bad_parameters_are_a_sentence(served, params, words):
  answer = served.client.post('/search', params=params, json={'id': 1})
  sentence = refused(answer, 422)
  assert words in sentence and str(served.folder) not in sentence


@pytest.mark.parametrize(
  'content, kind, status, words',
  [
    (b'{"id": 999}', 'application/json', 404, 'no video 999'),
    (b'{"id": -1}', 'application/json', 422, 'no `id`'),
    (b'{"id": 9223372036854775808}', 'application/json', 422, 'no `id`'),
    (b'{"id": true}', 'application/json', 422, 'no `id`'),
    (b'{"id": "../1"}', 'application/json', 422, 'no `id`'),
    (b'{"id": NaN}', 'application/json', 422, 'not JSON'),
    (b'[1]', 'application/json', 422, 'not a JSON object'),
    (b'\xff', 'application/json', 422, 'not JSON'),
    (b'[' * 60_000, 'application/json', 422, 'not JSON'),
    (b' ' * 70_000, 'application/json', 413, 'longer than the 65,536 bytes'),
    (b'a=1', 'application/x-www-form-urlencoded', 415, 'not read here'),
    (b'', '', 415, 'not read here'),
    (b'no form', 'multipart/form-data', 400, 'boundary'),
    (b'no form', 'multipart/form-data; boundary=x', 400, ''),
  ],
)
def test_bad_bodies_are_a_sentence(served, content, kind, status, words):
  answer = served.client.post(
    '/search', content=content, headers={'Content-Type': kind}
  )
  assert words in refused(answer, status)


@pytest.mark.parametrize(
  'files, status, words',
  [
    ({'film': b'x'}, 422, 'no file in a part named'),
    ({'video': b''}, 415, 'not a video'),
    ({'video': b'x' * 100}, 415, 'not a video'),
    ({'features': b'x' * 100}, 422, 'a .npy file of one plain'),
    ({'features': b'x' * 100_000}, 413, 'longer than'),
  ],
)
def test_bad_forms_are_a_sentence(served, files, status, words):
  assert words in refused(served.client.post('/search', files=files), status)
  several = [('video', toy.HANGS), ('video', toy.HANGS)]
  refused(served.client.post('/search', files=several), 400)


@pytest.mark.parametrize(
  'metadata, words',
  [
    ('{"path": "cat/one.webm"}', 'the name `path` is kept'),
    ('{"stored": "x"}', 'the name `stored` is kept'),
    ('[]', 'metadata is not a JSON object'),
    ('{', 'metadata is not JSON'),
    ('{"a": Infinity}', 'metadata is not JSON'),
    ('{"a": 1e999}', 'metadata is not JSON'),
    ('{"a": "\\ud800"}', 'metadata is not JSON'),
    ('{"a": ' + '[' * 10_000, 'metadata is not JSON'),
  ],
)
def test_bad_metadata_adds_nothing(own, metadata, words):
  before = len(own.service.index)
  answer = own.client.post(
    '/videos',
    files={'features': toy.npy(toy.features(1))},
    data={'metadata': metadata},
  )
  assert answer.status_code == 422 and words in answer.json()['error']
  assert len(own.service.index) == before


def test_an_id_cannot_be_added(own):
  answer = own.client.post('/videos', json={'id': 0})
  assert answer.status_code == 422
  assert 'An id adds nothing' in answer.json()['error']


def test_what_is_the_machine_s_fault_is_no_caller_s(own, monkeypatch):
  body = toy.npy(toy.features(1, 905))
  kind = {'Content-Type': 'application/x-npy'}
  id = own.client.post('/videos', content=body, headers=kind).json()['id']

  def fail(*_, **__):
    raise errors.UserError(
      f'{own.service.directory}: the disk is full.'
    ) from OSError(28, 'No space left on device')

  for name in ('add', 'remove', 'search', 'get'):
    monkeypatch.setattr(own.service.index, name, fail)
  for answer in (
    own.client.post('/videos', content=body, headers=kind),
    own.client.post('/search', content=body, headers=kind),
    own.client.post('/search', json={'id': id}),
    own.client.delete(f'/videos/{id}'),
  ):
    assert answer.status_code == 503
    assert answer.json() == {'error': 'the index: the disk is full.'}
  monkeypatch.undo()
  assert own.client.delete(f'/videos/{id}').status_code == 204
