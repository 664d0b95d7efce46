"""Copies over HTTP: what the command says, and what a person said of it."""

from __future__ import annotations

import shutil

import pytest
import service_toy as toy

from nph_jax.library import store
from nph_jax.service import duplicates


def test_groups_are_those_of_the_command_without_its_paths(told):
  own, flags = told
  for _ in range(2):  # the second is not looked for again
    answer = own.client.get('/duplicates?radius=0.25&keep=largest&since=3')
  assert answer.status_code == 200
  rows = answer.json()['results']
  assert [row['path'] for row in rows] == ['cat/one.webm', 'cat/two.mp4']
  assert rows[1]['video'] == own.client.get('/videos/1').json()
  ((first, *rest),) = flags()
  assert first == f'--index={own.folder / "index"}'
  assert rest == ['--json', '--radius=0.25', '--keep=largest', '--since=3']
  assert own.client.get('/index').json()['duplicates']


def test_what_is_rejected_is_remembered_and_looked_for_anew(told):
  own, flags = told
  own.client.get('/duplicates')
  answer = own.client.post('/duplicates/rejected', json={'ids': [1, 0]})
  assert answer.status_code == 204
  own.client.get('/duplicates')
  assert [x[1] for x in flags()] == ['--json', '--reject=1,0', '--json']
  other = {'Origin': 'http://evil.example'}
  for body, headers, status in (
    ({'ids': [1]}, {}, 422),
    ({'ids': [1, -2]}, {}, 422),
    ({'ids': [1, '--since']}, {}, 422),
    ({'ids': [0, 1]}, other, 403),
  ):
    answer = own.client.post('/duplicates/rejected', json=body, headers=headers)
    toy.refused(answer, status)
  assert len(flags()) == 3


def test_who_asks_hears_that_it_is_looked_for(told, monkeypatch):
  """Others too, for one is done at a time, until a person says what is new."""
  own, _ = told
  monkeypatch.setattr(duplicates, '_SECONDS', 0.1)
  for keep in ('oldest', 'largest', 'oldest'):
    answer = own.client.get(f'/duplicates?keep={keep}')
    assert answer.status_code == 202 and answer.json()['results'] is None
    assert answer.headers['retry-after'] == '1'
  (task,) = own.service.duplicates._tasks.values()
  own.client.post('/duplicates/rejected', json={'ids': [0, 1]})
  toy.comes_to(task.cancelled)
  toy.comes_to(lambda: own.client.get('/duplicates').status_code == 200)


@pytest.mark.parametrize(
  'wanted', ['keep=none', 'radius=-1', 'since=--json', 'false_pairs=inf']
)
def test_what_the_command_refuses_is_a_sentence(told, wanted):
  answer = told[0].client.get(f'/duplicates?{wanted}')
  toy.refused(answer, 422)
  assert '/tmp' not in answer.text


def test_another_index_has_none(served):
  answer = served.client.get('/duplicates')
  assert answer.status_code == 501 and 'nph-jax add' in answer.json()['detail']
  assert not served.client.get('/index').json()['duplicates']


@pytest.mark.slow
def test_a_video_added_twice_in_other_bytes_is_found(
  start, bundle, tmp_path, monkeypatch
):
  """By the command itself, of features that the page's uploads left."""
  with start(tmp_path) as running:
    index = tmp_path / 'index'
    shutil.copytree(bundle[0], index / 'codes' / bundle[1].digest)
    settings = {
      'backbone': 'toy', 'weights': None, 'num_frames': toy.NUM_FRAMES,
      'feature_dim': toy.FEATURE_DIM,
    }  # fmt: skip
    with store.Store(index) as kept:
      kept.set(**settings)
    added = []
    for seed, end in ((80, b''), (81, b''), (82, b''), (80, b'\xec\x80')):
      content = toy.clip(tmp_path / 'film.webm', seed).read_bytes() + end
      files = {'video': ('film.webm', content)}
      answer = running.client.post('/videos', files=files)
      assert answer.status_code == 201, answer.text
      added.append(answer.json()['id'])
    copies = [added[0], added[-1]]

    def groups():
      answer = running.client.get('/duplicates?radius=0.001')
      assert answer.status_code == 200, answer.text
      return answer.json()

    monkeypatch.setattr(duplicates, '_SECONDS', 60)
    found = groups()
    assert found['videos'] == 4
    assert sorted(row['id'] for row in found['results']) == sorted(copies)
    assert {'keep', 'why', 'distance', 'width', 'size'} <= set(
      found['results'][0]
    )
    body = {'ids': copies}
    assert running.client.post('/duplicates/rejected', json=body).is_success
    assert groups()['results'] == []
