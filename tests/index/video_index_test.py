"""The exact index against brute force."""

import threading

import index_cases
import numpy as np
import pytest
from index_cases import BITS, assert_nearest, codes

from nph_jax import errors
from nph_jax.index import VideoIndex, database


@pytest.mark.parametrize('bits', [8, 16, 24, 32, 64, 128])
@pytest.mark.parametrize('k', [1, 7, 400])
def test_ranks_by_distance_then_id(tmp_path, bits, k):
  values = index_cases.clustered(700, bits // 8)
  ids = np.random.default_rng(1).permutation(2000)[:700]
  with VideoIndex.create(tmp_path / 'ix', bits, keep_relaxed=False) as index:
    for part in (slice(0, 300), slice(300, 301), slice(301, 700)):
      np.testing.assert_array_equal(
        index.add(values[part], None, ids=ids[part]), ids[part]
      )
    # One alone, and enough of them to be spread over threads.
    assert_nearest(index, values[:1], values, ids, k)
    assert_nearest(index, values[:60], values, ids, k)


def test_fewer_videos_than_results(tmp_path):
  with VideoIndex.create(tmp_path / 'ix', BITS, keep_relaxed=False) as index:
    assert index.search(codes(2), 3) == [[], []]
    distances, ids = index.search_arrays(codes(2), 3)
    assert (distances == -1).all() and ids.tolist() == [[-1] * 3] * 2
    index.add(codes(2), None)
    distances, ids = index.search_arrays(codes(2)[:1], 3)
    assert ids.tolist() == [[0, 1, -1]] and distances[0, 2] == -1
    assert index.search_arrays(codes(0), 3)[0].shape == (0, 3)
    assert len(index.search(codes(1), 3)[0]) == 2


def test_hits_carry_what_was_added(index):
  ((first, second),) = index.search(codes()[5:6], 2)
  assert first.distance == 0 and first.score is None
  assert first.metadata == index_cases.metadata(1, first.id)[0]
  assert index.metadata([second.id, 3, 3]) == [
    second.metadata, *2 * index_cases.metadata(1, 3)
  ]  # fmt: skip
  code, relaxed, metadata = index.get(7)
  np.testing.assert_array_equal(code, codes()[7])
  np.testing.assert_array_equal(relaxed, index_cases.relaxed(codes())[7])
  assert metadata['path'] == 'videos/7.mp4'


def test_the_largest_ids_are_exact(tmp_path):
  ids = [2**53 + 1, 2**63 - 2]
  with VideoIndex.create(tmp_path / 'ix', BITS, keep_relaxed=False) as index:
    index.add(codes(2), [{'n': 0}, {'n': 1}], ids=ids)
    (hits,) = index.search(codes(1), 2)
    assert {hit.id: hit.metadata['n'] for hit in hits} == dict(zip(ids, (0, 1)))
    with pytest.raises(errors.UserError, match='ids from 92233720.* not left'):
      index.add(codes(1), None)
    assert index.add(codes(1), None, ids=[3]) == [3]
    assert len(index.add(codes(0), None)) == 0 and len(index) == 3


def test_items_go_on_after_an_id(index):
  index.remove([1])
  first = index.items(limit=2)
  assert [video for video, _ in first] == [0, 2]
  assert index.items(start_after=2, limit=1)[0] == (
    3, index_cases.metadata(1, 3)[0]
  )  # fmt: skip
  assert index.items(start_after=89) == []


def test_one_writer_at_a_time(index, tmp_path):
  with VideoIndex.open(tmp_path / 'ix', read_only=True) as reader:
    with pytest.raises(errors.UserError, match='for reading only'):
      reader.remove([1])
  with pytest.raises(errors.UserError, match='open for writing in another'):
    VideoIndex.open(tmp_path / 'ix')
  index.close()
  VideoIndex.open(tmp_path / 'ix').close()


def test_many_removals_are_compacted(tmp_path, monkeypatch):
  monkeypatch.setattr('nph_jax.index.video_index._DEAD', 10)
  values = codes(100)
  with VideoIndex.create(tmp_path / 'ix', BITS) as index:
    index.add(values, None, index_cases.relaxed(values))
    index.remove(np.arange(40))
    assert index.about()['removed_not_compacted'] == 40
    index.remove(np.arange(40, 60))
    assert index.about()['removed_not_compacted'] == 0
    index.verify()
    assert_nearest(index, values[:9], values[60:], np.arange(60, 100), 40)
  with VideoIndex.open(tmp_path / 'ix') as index:
    assert_nearest(index, values[:9], values[60:], np.arange(60, 100), 40)
    assert index.add(values[:1], None, index_cases.relaxed(values[:1])) == [100]


def test_threads_add_remove_and_search_at_once(tmp_path):
  values, failures = codes(400), []

  def work(index, start):
    try:
      for first in range(start, 400, 20):
        part = slice(first, first + 5)
        ids = index.add(values[part], index_cases.metadata(5, first))
        index.remove(ids[:1])
        (hits,) = index.search(values[part][1:2], 400)
        assert ids[1] in {hit.id for hit in hits}
        assert all(hit.metadata for hit in hits if hit.id in ids)
    except Exception as error:
      failures.append(error)

  with VideoIndex.create(tmp_path / 'ix', BITS, keep_relaxed=False) as index:
    threads = [
      threading.Thread(target=work, args=(index, start))
      for start in range(0, 20, 5)
    ]
    for thread in threads:
      thread.start()
    for thread in threads:
      thread.join()
    assert not failures and len(index) == 400 - 80
    index.verify()


def test_who_may_only_read_follows_the_writer_too(index, tmp_path, monkeypatch):
  index.close()
  monkeypatch.setattr(database.os, 'access', lambda *_: False)
  with (
    VideoIndex.open(tmp_path / 'ix', read_only=True) as reader,
    VideoIndex.open(tmp_path / 'ix') as writer,
  ):
    writer.remove([4])
    assert len(reader) == 89
    assert [video for video, _ in reader.items(limit=6)] == [0, 1, 2, 3, 5, 6]
