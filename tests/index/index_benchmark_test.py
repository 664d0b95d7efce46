"""The index's benchmark at a tiny size, and its tables."""

import math

import pytest

from benchmarks import index, tables
from nph_jax.index import VideoIndex


def assert_timings(found, names):
  assert list(found['queries_per_second']) == names
  for name in names:
    assert found['queries_per_second'][name] > 0
    single = found['single'][name]
    assert 0 < single['p50'] <= single['p99'] < math.inf


def test_every_engine_is_measured_and_shown(monkeypatch):
  monkeypatch.setattr(index, '_SINGLES', 20)
  monkeypatch.setattr(index, '_BATCH_RUNS', 1)
  flat = index.flat(num_codes=3000)
  assert_timings(flat, ['ours', 'faiss', 'faiss, 1 thread'])
  others = {'ivf': index.other(engine='ivf', num_codes=2000)}
  asymmetric = index.asymmetric(num_codes=12_000)
  pq = ['faiss IndexPQ', 'faiss IndexPQFastScan']
  assert_timings(asymmetric, ['hamming', 'asymmetric', *pq])
  assert asymmetric['same_as_pq'] > 0.95  # which adds in float32
  for name, found in others.items():
    assert_timings(found, [name, 'flat'])
    assert 0.5 < found['recall'] <= 1
  results = {
    'num_bits': 64, 'k': 100, 'batch': 128, 'flat': [flat], 'others': others,
    'asymmetric': asymmetric,
  }  # fmt: skip
  text = ' '.join(tables.index(results).split())  # columns are padded
  assert '| 3,000 | faiss, 1 thread | ' in text
  assert '| ivf | 2,000 | ' in text and '| 12,000 | asymmetric | ' in text


def test_other_results_than_those_of_faiss_are_no_measurement(monkeypatch):
  search = VideoIndex.search_arrays

  def wrong(self, codes, k):
    distances, ids = search(self, codes, k)
    ids[3, :2] = ids[3, 1::-1]
    return distances, ids

  monkeypatch.setattr(VideoIndex, 'search_arrays', wrong)
  with pytest.raises(RuntimeError, match='ids of 1 of 128 queries are not'):
    index.flat(num_codes=1000)


def test_milvus_is_exact():
  pytest.importorskip('milvus_lite')
  assert index.other(engine='milvus', num_codes=300)['recall'] == 1
