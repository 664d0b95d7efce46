"""What callers do wrong over HTTP: a sentence, and nothing changes."""

from __future__ import annotations

import json
import sys

import pytest
import service_toy as toy


@pytest.mark.parametrize(
  'params, words',
  [
    ({'k': 0}, 'k: '),
    ({'k': 1001}, 'k: 1001 is more than 1000.'),
    ({'k': 'many'}, 'k: '),
    ({'radius': -1}, 'radius: '),
    ({'radius': 33}, 'radius'),
    ({'rank': 'cosine'}, 'rank: '),
    ({'rerank': 2000}, 'rerank: 2000 is more than 1000.'),
    ({'where': 'dog'}, 'where: is not JSON.'),
    ({'where': '["dog"]'}, 'where: is not a JSON object'),
    ({'where': '{"labels": {}}'}, 'where: expected plain values'),
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
  sentence = toy.refused(answer, 422)
  assert words in sentence and str(served.folder) not in sentence


JSON, NPY = 'application/json', 'application/x-npy'
FORM = 'multipart/form-data'
EDGE = f'{FORM}; boundary=edge'
FILE = (
  b'--edge\r\nContent-Disposition: form-data; name="video"; filename="x"\r\n'
  b'\r\n' + toy.HANGS + b'\r\n'
)
TEXT = b'--edge\r\nContent-Disposition: form-data; name="x"\r\n\r\ny\r\n'


@pytest.mark.parametrize(
  'path, content, kind, status, words',
  [
    ('', b'{"id": 999}', JSON, 404, 'no video with id 999'),
    ('', b'{"id": -1}', JSON, 422, 'id: '),
    ('', b'{"id": 9223372036854775808}', JSON, 422, 'id: '),
    ('', b'{"id": true}', JSON, 422, 'id: '),
    ('', b'{"id": "../1"}', JSON, 422, 'id: '),
    ('', b'{"id": NaN}', JSON, 422, 'id: '),
    ('', b'{"x": 1}', JSON, 422, 'id: field required'),
    ('', b'[1]', JSON, 422, 'body: '),
    ('', b'', JSON, 422, 'body: '),
    ('', b'{"id": 1}', 'text/plain', 422, 'body: '),
    ('', b'\xff', JSON, 400, 'body'),
    # Too deep for a reader before Python 3.13, which finds no end of it.
    ('', b'[' * 4000, JSON, 400 if sys.version_info < (3, 13) else 422, 'body'),
    ('/features', b'', NPY, 422, 'body: '),
    ('/features', b'x' * 100, NPY, 422, 'a .npy file of one'),
    ('/features', b'{}', JSON, 422, 'body: '),
    ('/video', b'a=1', 'application/x-www-form-urlencoded', 415, 'forms'),
    ('/video', b'', '', 415, 'forms'),
    ('/video', b'no form', FORM, 400, 'boundary'),
    ('/video', b'no form', f'{FORM}; boundary=', 400, 'malformed'),
    ('/video', b'no form', EDGE, 400, 'malformed'),
    ('/video', FILE, f'{FORM}; boundary=' + 'x' * 5000, 400, 'malformed'),
    ('/video', FILE[:40], EDGE, 400, 'breaks off'),
    ('/video', FILE, EDGE, 400, 'breaks off'),
    ('/video', TEXT + b'--edge--', EDGE, 422, 'video: field required'),
    ('/video', 5 * TEXT + b'--edge--', EDGE, 400, 'too many fields'),
    ('/video', 2 * FILE + b'--edge--', EDGE, 400, 'too many files'),
    ('/video', TEXT.replace(b' name="x"', b''), EDGE, 400, '"name" must'),
    ('/video', TEXT.replace(b'y', b'y' * 70_000), EDGE, 400, 'maximum size'),
    ('/video', FILE.replace(b'="x"', b'="' + b'x' * 9000), EDGE, 400, 'malf'),
    ('/video', FILE.replace(b'data; ', b'data\r\nX: y' * 99), EDGE, 400, 'mal'),
    ('/video', FILE.replace(b'"video"', b'"film"'), EDGE, 422, 'than `video`'),
  ],
)
def test_bad_bodies_are_a_sentence(served, path, content, kind, status, words):
  answer = served.client.post(
    f'/search{path}', content=content, headers={'Content-Type': kind}
  )
  assert words in toy.refused(answer, status)


@pytest.mark.parametrize(
  'metadata, words',
  [
    ('{"path": "cat/one.webm"}', 'the name `path` is kept'),
    ('{"stored": "x"}', 'the name `stored` is kept'),
    ('[]', 'is not a JSON object'),
    ('{', 'is not JSON'),
    ('{"a": Infinity}', 'is not JSON'),
    ('{"a": 1e999}', 'is not JSON'),
    ('{"a": "\\ud800"}', 'is not JSON'),
    ('{"a": ' + '[' * 10_000, 'is not JSON'),
    (json.dumps({'n' * 101: 1}), 'more than 100 characters'),
    (json.dumps({f'{n}': 1 for n in range(65)}), 'more than 64 names'),
  ],
)
def test_bad_metadata_adds_nothing(own, clips, metadata, words):
  about, before = {'metadata': metadata}, len(own.service.index)
  for answer in (
    own.film(clips / 'cat/two.mp4', '/videos', data=about),
    own.npy('/videos/features', toy.features(1), params=about),
  ):
    assert words in toy.refused(answer, 422)
  assert len(own.service.index) == before
