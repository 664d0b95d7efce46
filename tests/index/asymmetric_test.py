"""Ranking by t . b against float64 over all codes, whichever way it goes."""

import index_cases
import numpy as np
import pytest

from nph_jax.index import VideoIndex, asymmetric, errors, live

BITS = 32


@pytest.fixture
def scanned(monkeypatch):
  """Few videos are enough for FastScan, which is asked for few at first."""
  monkeypatch.setattr(asymmetric, '_FEW', 50)
  monkeypatch.setattr(asymmetric, '_SPARE', 1)


def best(t, codes, ids, k):
  """Ids by (t . b, id), and the cosines, for one query."""
  signs = np.where(np.unpackbits(codes, axis=1), 1.0, -1.0)
  scores = signs @ t.astype(np.float64)
  scores /= np.linalg.norm(t.astype(np.float64)) * np.sqrt(len(t))
  order = np.lexsort((ids, -np.round(scores, 10)))[:k]
  return np.asarray(ids)[order].tolist(), scores[order]


def assert_best(hits, t, codes, ids, k):
  expected, scores = best(t, codes, ids, k)
  assert [hit.id for hit in hits] == expected
  np.testing.assert_allclose([hit.score for hit in hits], scores, atol=1e-9)


def queries(number=6, bits=BITS, seed=3):
  rng = np.random.default_rng(seed)
  return rng.normal(size=(number, bits)).astype(np.float32)


def packed(t):
  return np.packbits(t > 0, axis=1)


@pytest.mark.parametrize('bits', [8, 24, 64, 128])
@pytest.mark.parametrize('number', [1, 40, 3000])
def test_equals_brute_force(tmp_path, scanned, bits, number):
  codes = index_cases.clustered(number, bits // 8)
  ids = np.random.default_rng(1).permutation(2 * number)[:number]
  t = queries(20, bits)
  with VideoIndex.create(tmp_path / 'ix', bits, keep_relaxed=False) as index:
    index.add(codes, None, ids=ids)
    found = index.search(packed(t), 30, rank='asymmetric', relaxed=t)
    for hits, query in zip(found, t):
      assert_best(hits, query, codes, ids, 30)
      distance = (np.bitwise_count(packed(query[None]) ^ codes)).sum(axis=1)
      near = dict(zip(ids.tolist(), distance.tolist()))
      assert [h.distance for h in hits] == [near[h.id] for h in hits]


def test_many_equal_codes_are_ordered_by_id(tmp_path, scanned):
  """More than are looked at first, behind some that are better."""
  codes = np.zeros((3000, 4), np.uint8)
  codes[::700] = 255
  t = -queries(3)
  with VideoIndex.create(tmp_path / 'ix', BITS, keep_relaxed=False) as index:
    index.add(codes, None)
    for k in (3, 200):
      found = index.search(packed(t), k, rank='asymmetric', relaxed=t)
      for hits, query in zip(found, t):
        assert_best(hits, query, codes, np.arange(3000), k)


def test_it_keeps_up_with_the_index(tmp_path, scanned):
  codes, t = index_cases.clustered(900, 4), queries(2)
  with VideoIndex.create(tmp_path / 'ix', BITS, keep_relaxed=False) as index:
    kept = np.arange(0)
    for step in (
      lambda: index.add(codes[:500], None, ids=np.arange(500) + 100),
      lambda: index.add(codes[500:510], None),
      lambda: index.remove([104, 600, 609]),
      lambda: index.add(codes[510:900], None, ids=range(1000, 1390)),
      lambda: index.add(codes[:1], None, ids=[3]),
    ):
      step()
      kept = index.ids()
      held = np.array([index.get(video)[0] for video in kept.tolist()])
      for hits, query in zip(index.search(packed(t), 9, relaxed=t), t):
        assert_best(hits, query, held, kept, 9)


def test_what_faiss_rounds_is_bounded():
  """The score of every code is nearer to the true one than is said."""
  codes = index_cases.clustered(2000, 8)
  some = live.Live(64)
  some.add(np.arange(2000), codes)
  signs = np.where(np.unpackbits(codes, axis=1), 1.0, -1.0)
  index = asymmetric._packed(codes)
  worst = 0
  for scale in (1e-3, 1, 100, 6e4):
    for t in queries(5, 64) * np.float32(scale):
      scores, rows = index.search(t[None], 2000)
      off = np.abs(scores[0] - signs[rows[0]] @ t.astype(np.float64)).max()
      assert off <= asymmetric._rounding(t)
      worst = max(worst, off / asymmetric._rounding(t))
  assert worst > 0.2  # it is no idle bound


def test_a_filter_and_a_radius_hold(tmp_path):
  codes, t = index_cases.clustered(600, 4), queries(4)
  about = [{'part': row % 3} for row in range(600)]
  with VideoIndex.create(tmp_path / 'ix', BITS, keep_relaxed=False) as index:
    index.add(codes, about)
    for k, radius, where in ((9, None, 1), (None, 9, None), (3, 9, 2)):
      options = {} if where is None else {'where': {'part': where}}
      found = index.search(packed(t), k, radius=radius, relaxed=t, **options)
      for hits, query in zip(found, t):
        near = np.bitwise_count(packed(query[None]) ^ codes).sum(axis=1)
        ids = np.flatnonzero(near <= (BITS if radius is None else radius))
        ids = ids if where is None else ids[ids % 3 == where]
        assert_best(hits, query, codes[ids], ids, k)


def test_how_to_rank_where_nobody_says(tmp_path):
  codes, t = index_cases.clustered(60, 4), queries(1)
  for engine, scored in (('flat', True), ('ivf', False)):
    with VideoIndex.create(tmp_path / engine, BITS, engine=engine) as index:
      index.add(codes, None, index_cases.relaxed(codes))
      with_t = index.search(packed(t), 3, relaxed=t)[0]
      assert (with_t[0].score is not None) == scored
      assert index.search(packed(t), 3)[0][0].score is None
      (hits,) = index.search(packed(t), 3, rank='asymmetric', relaxed=t)
      assert_best(hits, t[0], codes, np.arange(60), 3)
      (hits,) = index.search(packed(t), 3, rank='hamming', relaxed=t)
      assert hits[0].score is None
      for call, words in (
        ({'rank': 'asymmetric'}, 'asymmetric ranking: needs the real-valued'),
        ({'rank': 'cosine'}, "rank: is 'cosine'; expected hamming or asymm"),
      ):
        with pytest.raises(errors.InvalidRequest, match=words):
          index.search(packed(t), 3, **call)


def test_a_query_of_zeros_ranks_by_id(tmp_path, scanned):
  codes = index_cases.clustered(300, 4)
  with VideoIndex.create(tmp_path / 'ix', BITS, keep_relaxed=False) as index:
    index.add(codes, None)
    (hits,) = index.search(codes[:1], 5, relaxed=np.zeros((1, BITS)))
    assert [(hit.id, hit.score) for hit in hits] == [(n, 0) for n in range(5)]
