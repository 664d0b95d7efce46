"""A video is added though the engine of the index is away."""

import service_toy as toy

from nph_jax.index import engines, errors
from nph_jax.service import library


def down(*_):
  raise errors.Unavailable('The engine is away.')


def test_record_and_file_stay_together(start, tmp_path, monkeypatch):
  path = toy.clip(tmp_path / 'new.webm', 9)
  content = path.read_bytes()
  with start(tmp_path) as s:
    monkeypatch.setattr(engines.Flat, 'follow', down)
    answer = s.film(path, '/videos')
    assert answer.status_code == 201, answer.text
    file = s.client.get(answer.json()['file'])
    assert file.status_code == 200 and file.content == content


def test_what_became_of_an_unknown_failure_is_found_at_the_next_start(
  start, tmp_path, monkeypatch
):
  path = toy.clip(tmp_path / 'new.webm', 9)
  content = path.read_bytes()

  def broken(*_):
    raise RuntimeError

  with start(tmp_path) as s:
    monkeypatch.setattr(engines.Flat, 'follow', broken)
    answer = s.film(path, '/videos')
    assert answer.status_code == 500
    metadata = s.service.index.get(len(s.codes))[2]
    assert s.service.videos.find(metadata).read_bytes() == content
    assert library.recover(s.service.videos, s.service.index) == 0
    assert s.service.videos.find(metadata).read_bytes() == content
