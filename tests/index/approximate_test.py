"""faiss' approximate engine: true distances, order, and recall."""

import index_cases
import numpy as np
import pytest

from nph_jax.index import VideoIndex, engines

NUMBER, BITS = 6000, 64


@pytest.fixture(scope='module')
def values():
  return index_cases.clustered(NUMBER, BITS // 8, centres=400)


def create(folder):
  return VideoIndex.create(folder, BITS, engine='ivf', keep_relaxed=False)


def recall(index, codes, ids, k=10):
  """Share of the exact results that are found; all found ones are checked."""
  queries = codes[::97]
  distances, found = index.search_arrays(queries, k)
  _, exact = index_cases.nearest(queries, codes, ids, k)
  places = {video: place for place, video in enumerate(ids)}
  for query, near, videos in zip(queries, distances, found):
    there = videos >= 0
    assert there[: there.sum()].all() and (near[~there] == -1).all()
    rows = [places[video] for video in videos[there].tolist()]
    true = np.bitwise_count(codes[rows] ^ query).sum(-1, int)
    assert near[there].tolist() == true.tolist()
    order = list(zip(near[there].tolist(), videos[there].tolist()))
    assert order == sorted(set(order))
  hits = [len(set(a) & set(b)) for a, b in zip(found.tolist(), exact.tolist())]
  return sum(hits) / exact.size


def test_recall_after_adding_removing_and_opening(
  tmp_path, values, monkeypatch
):
  monkeypatch.setattr(engines, '_FEW', 1000)
  ids = np.random.default_rng(0).permutation(2 * NUMBER)[:NUMBER]
  with create(tmp_path / 'ix') as index:
    for part in np.array_split(np.arange(NUMBER), 3):
      index.add(values[part], None, ids=ids[part])
    assert 0.8 < recall(index, values, ids.tolist())
    gone = np.arange(0, NUMBER, 3)
    assert index.remove(ids[gone]) == len(gone)
    keep = np.setdiff1d(np.arange(NUMBER), gone)
    before = recall(index, values[keep], ids[keep].tolist())
    assert before > 0.8
  with VideoIndex.open(tmp_path / 'ix') as index:
    # In other places of the lists, others at the last distance are found.
    again = recall(index, values[keep], ids[keep].tolist())
    assert abs(again - before) < 0.05
    index.compact()
    index.add(values[gone], None, ids=ids[gone])
    assert 0.8 < recall(index, values, ids.tolist())
    with VideoIndex.open(tmp_path / 'ix', read_only=True) as reader:
      assert 0.8 < recall(reader, values, ids.tolist())
  with VideoIndex.open(tmp_path / 'ix') as index:
    assert 0.8 < recall(index, values, ids.tolist())


def test_a_filter_is_exact_all_the_same(tmp_path, values, monkeypatch):
  monkeypatch.setattr(engines, '_FEW', 1000)
  metadata = [{'part': row % 7} for row in range(NUMBER)]
  with create(tmp_path / 'ix') as index:
    index.add(values, metadata)
    assert index._live.engine._index.ntotal == NUMBER
    found = index.search(values[:20], 30, where={'part': 3})
  ids = np.arange(3, NUMBER, 7)
  distances, exact = index_cases.nearest(values[:20], values[ids], ids, 30)
  assert index_cases.pairs(found) == [
    list(zip(*map(np.ndarray.tolist, row))) for row in zip(distances, exact)
  ]


def test_lists_are_made_anew_as_the_set_grows(tmp_path, values, monkeypatch):
  monkeypatch.setattr(engines, '_FEW', 100)
  with (
    create(tmp_path / 'ix') as index,
    VideoIndex.open(tmp_path / 'ix', read_only=True) as reader,
  ):
    seen = []
    for part in np.split(values[:2000], 20):
      index.add(part, None)
      assert_lists_agree(index, reader, part[:5])
      lists = reader._live.engine._index
      seen.append(0 if lists is None else lists.nlist)
    assert sorted(set(seen)) == [0, 14, 28] and seen == sorted(seen)


def assert_lists_agree(index, reader, queries):
  """The reader, which trains nothing, searches as the writer."""
  np.testing.assert_array_equal(
    index.search_arrays(queries, 50), reader.search_arrays(queries, 50)
  )
