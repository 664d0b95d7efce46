"""Milvus Lite against brute force; the same calls serve a cluster."""

import sqlite3

import index_cases
import numpy as np
import programs
import pytest
from index_cases import BITS, assert_nearest

from nph_jax import errors
from nph_jax.index import VideoIndex, milvus

pytest.importorskip('pymilvus')
pytest.importorskip('milvus_lite')
# milvus_lite imports pkg_resources, which says that it is on its way out.
pytestmark = pytest.mark.filterwarnings('ignore::UserWarning')


def codes():
  return index_cases.codes(300)


def test_equals_brute_force_through_its_life(tmp_path):
  values, ids = codes(), np.random.default_rng(0).permutation(900)[:300]
  folder = tmp_path / 'ix'
  with VideoIndex.create(folder, BITS, engine='milvus') as index:
    for part in (slice(0, 200), slice(200, 300)):
      index.add(
        values[part],
        index_cases.metadata(100 if part.start else 200, part.start),
        index_cases.relaxed(values[part]),
        ids=ids[part],
      )
    assert_nearest(index, values[:5], values, ids, 30)
    assert_nearest(index, values[:120], values, ids, 3)
    assert index.remove(ids[:50]) == 50
    assert_nearest(index, values[:5], values[50:], ids[50:], 250)
    assert (index.search_arrays(values[:2], 251)[1][:, -1] == -1).all()
    found = index.search(values[:1], 5, rerank=9, relaxed=np.ones((1, BITS)))
    assert len(found[0]) == 5 and found[0][0].metadata['path']
    index.compact()
  # Another program, as the local file is let go of.
  code = f"""
import sys, numpy as np
from nph_jax.index import VideoIndex
with VideoIndex.open({str(folder)!r}) as index:
  assert index.add(np.zeros((1, 2), np.uint8), None, np.ones((1, 16))) == [
    {ids.max() + 1}]
"""
  assert programs.run('-c', code).returncode == 0
  with VideoIndex.open(folder) as index:
    all_values = np.concatenate([values[50:], np.zeros((1, 2), np.uint8)])
    all_ids = np.append(ids[50:], ids.max() + 1)
    assert_nearest(index, values[:5], all_values, all_ids, 40)


def test_ties_beyond_the_first_look_are_broken_by_id(tmp_path, monkeypatch):
  monkeypatch.setattr(milvus, '_SPARE', 2)
  same = np.zeros((200, 1), np.uint8)
  same[::2] = 3
  ids = np.random.default_rng(0).permutation(200)
  with VideoIndex.create(
    tmp_path / 'ix', 8, engine='milvus', keep_relaxed=False
  ) as index:
    index.add(same, None, ids=ids)
    assert_nearest(index, same[:2], same, ids, 7)
    assert_nearest(index, same[:2], same, ids, 150)
    monkeypatch.setattr(milvus, 'DEEPEST', 60)
    assert len(index.search_arrays(same[:2], 60)[1]) == 2
    with pytest.raises(errors.UserError, match='returns 60 results at most'):
      index.search_arrays(same[:2], 61)


def set_back(folder, kept):
  """As if the process was killed before it noted what Milvus holds by now."""
  connection = sqlite3.connect(folder / 'index.sqlite')
  with connection:
    connection.execute(
      "UPDATE settings SET value = ? WHERE name = 'milvus'", [kept]
    )
  connection.close()


def test_what_milvus_missed_is_made_up_for(tmp_path):
  """Killed between the store's commit and Milvus, or its file is lost."""
  values, folder = codes(), tmp_path / 'ix'
  with VideoIndex.create(
    folder, BITS, engine='milvus', keep_relaxed=False
  ) as index:
    index.add(values[:100], None)
    kept = index._store.noted('milvus')
    index.add(values[100:], None)
    index.remove(np.arange(0, 100, 3))
  keep = np.setdiff1d(np.arange(300), np.arange(0, 100, 3))
  set_back(folder, kept)
  with VideoIndex.open(folder) as index:
    assert_nearest(index, values[:5], values[keep], keep, 300 - 34)
    index.compact()
  set_back(folder, kept)
  with VideoIndex.open(folder) as index:
    assert_nearest(index, values[:5], values[keep], keep, 300 - 34)
    index.backup(tmp_path / 'copy')
  (folder / 'milvus.db').unlink()
  VideoIndex.restore(tmp_path / 'copy', tmp_path / 'iy')
  for place in (folder, tmp_path / 'iy'):
    with VideoIndex.open(place) as index:
      assert_nearest(index, values[:5], values[keep], keep, 300 - 34)
  names = [index_collection(place) for place in (folder, tmp_path / 'iy')]
  assert names[0] != names[1]


def index_collection(folder):
  with VideoIndex.open(folder) as index:
    return index._live.engine._collection


def test_rehashed_codes_of_another_length(tmp_path):
  values, other = codes(), index_cases.clustered(300, 4, seed=5)
  with VideoIndex.create(
    tmp_path / 'ix', BITS, engine='milvus', keep_relaxed=False
  ) as index:
    index.add(values, None)
    index.rehash([(np.arange(300), other, None, None)], 32, 'new')
    assert_nearest(index, other[:5], other, np.arange(300), 30)


def test_a_failing_milvus_is_told_later(tmp_path, monkeypatch, caplog):
  values = codes()
  with VideoIndex.create(
    tmp_path / 'ix', BITS, engine='milvus', keep_relaxed=False
  ) as index:
    index.add(values[:10], None)

    def down(*_):
      raise errors.UserError('Milvus is down.')

    monkeypatch.setattr(milvus.MilvusEngine, '_add', down)
    assert index.add(values[10:20], None).tolist() == list(range(10, 20))
    assert 'Milvus is down' in caplog.text and len(index) == 20
    with pytest.raises(errors.UserError, match='Milvus is down'):
      index.search(values[:1], 3)
    monkeypatch.undo()
    assert_nearest(index, values[:5], values[:20], np.arange(20), 20)


def test_a_milvus_that_is_away_after_a_compaction(tmp_path, monkeypatch):
  values = codes()[:20]

  def down(*_):
    raise errors.UserError('Milvus is down.')

  with VideoIndex.create(
    tmp_path / 'ix', BITS, engine='milvus', keep_relaxed=False
  ) as index:
    index.add(values, None)
    with monkeypatch.context() as patch:
      patch.setattr(milvus, '_client', down)
      for call in (index.compact, lambda: index.search(values[:1], 3)):
        with pytest.raises(errors.UserError, match='Milvus is down'):
          call()
    assert_nearest(index, values[:5], values, np.arange(20), 20)


@pytest.mark.parametrize(
  ('engine', 'uri', 'complaint'),
  [
    ('milvus', 'http://127.0.0.1:9', 'http://127.0.0.1:9: Milvus says: '),
    ('milvus_ivf', None, 'BIN_IVF_FLAT'),
  ],
)
def test_a_milvus_that_does_not_do_it(
  tmp_path, monkeypatch, capfd, engine, uri, complaint
):
  monkeypatch.setattr(milvus, '_TIMEOUT', 1)
  with programs.one_sentence(complaint):
    VideoIndex.create(tmp_path / 'ix', BITS, engine=engine, uri=uri)
  assert not (tmp_path / 'ix').exists()
  assert 'Traceback' not in capfd.readouterr().err
