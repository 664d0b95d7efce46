"""Where in a video a clip is: against loops, and as durable as the videos."""

import sqlite3

import index_cases
import numpy as np
import pytest

from nph_jax.index import VideoIndex, errors, segments
from nph_jax.index.records import Segments

BITS = index_cases.BITS
RNG = np.random.default_rng(0)


def videos():
  """Segments by id: long and short ones, and one shorter than a segment.

  The second half shows the same for a while; two of it, the same all along.
  """
  found = {}
  for video, (seconds, duration) in enumerate(
    [(2.0, 41.3), (2.0, 3.0), (0.5, 9.75), (2.0, 0.4), (5.0, 61.0)] * 2
  ):
    count = max(1, int(np.ceil(duration / seconds - 0.5)))
    codes = RNG.integers(0, 256, (count, BITS // 8), np.uint8)
    if video >= 5:
      codes = codes[np.arange(count) // 3]
    if video in (6, 7):
      codes[:] = 255
    found[3 * video] = Segments(seconds, duration, codes)
  return found


def clip(duration, count=7):
  times = (np.arange(count) + 0.5) * duration / count
  t = RNG.standard_normal((count, BITS)).astype(np.float32)
  return segments.Clip(t, times, duration, t.mean(axis=0))


def literal(one, looked_for):
  """(score, start, bits) at the best of all places, by loops in float64."""
  spare = one.duration - looked_for.duration
  low, high = min(spare, 0), max(spare, 0)
  step = one.seconds / 8
  numbers = range(int(np.ceil(low / step)), int(np.floor(high / step)) + 1)
  best = (-9,)
  for start in (number * step for number in numbers):
    cosines, bits = [], []
    for number, code in enumerate(np.unpackbits(one.codes, axis=1)):
      since = (number + 0.5) * one.seconds - start
      if 0 <= since < max(looked_for.duration, one.seconds):
        t = looked_for.t[np.argmin(np.abs(looked_for.times - since))]
        t = t.astype(np.float64)
        signs = code * 2.0 - 1
        cosines.append(signs @ t / np.linalg.norm(t) / BITS**0.5)
        bits.append(np.sum((t >= 0) != code))
    if cosines and np.mean(cosines) > best[0] + 1e-6:
      best = np.mean(cosines), start, np.mean(bits)
  return best


@pytest.mark.parametrize('duration', [0.3, 4.0, 47.0])
def test_the_best_place_is_that_of_loops_over_all(duration):
  known, looked_for = videos(), clip(duration)
  expected = {x: literal(one, looked_for) for x, one in known.items()}
  found = segments.find(known, looked_for, len(known))
  order = sorted(known, key=lambda x: (-round(expected[x][0], 5), x))
  assert [moment.id for moment in found] == order
  for moment in found:
    score, start, bits = expected[moment.id]
    assert moment.score == pytest.approx(score, abs=1e-5)
    assert moment.start == pytest.approx(max(start, 0))
    end = min(start + duration, known[moment.id].duration)
    assert moment.end == pytest.approx(end)
    assert abs(moment.distance - bits) <= 0.5
  assert segments.find(known, looked_for, 4) == found[:4]


def test_a_part_of_a_video_is_found_where_it_is():
  known = videos()
  t = np.unpackbits(known[0].codes, axis=1)[5:9] * np.float32(2) - 1
  looked_for = segments.Clip(t, np.array([1.0, 3.0, 5.0, 7.0]), 8.0, t[0])
  (best,) = segments.find(known, looked_for, 1)
  assert (best.id, best.distance) == (0, 0)
  # Anywhere within half a segment the same frames meet; the first place.
  assert best.start == pytest.approx(9.0, abs=0.3) and best.score > 0.999
  assert best.end - best.start == pytest.approx(8.0)


def add(index, ids, known):
  codes = index_cases.codes(len(ids))
  t, about = index_cases.relaxed(codes), index_cases.metadata(len(ids))
  index.add(codes, about, t, np.array(ids), segments=[*map(known.get, ids)])


def found(index, looked_for, **options):
  return [hit.id for hit in index.moments(looked_for, 99, **options)]


def test_segments_come_and_go_with_their_video(tmp_path):
  known, looked_for = videos(), clip(6.0)
  with VideoIndex.create(tmp_path / 'ix', BITS) as index:
    assert not index.has_segments()
    add(index, [0, 1, 3, 6], known)  # 1 has none
    expected = segments.find({x: known[x] for x in (0, 3, 6)}, looked_for, 3)
    hits = index.moments(looked_for, 5)
    assert [x.id for x in expected] == [hit.id for hit in hits if hit.id != 1]
    assert [x.start for x in expected] == [
      hit.start for hit in hits if hit.id != 1
    ]
    where = {'labels': 'cat'}  # 1, and what came second or fifth
    assert found(index, looked_for, where=where) == [1]
    assert set(found(index, looked_for, where={'labels': 'all'})) == {1, 6}
    with VideoIndex.open(tmp_path / 'ix', read_only=True) as reader:
      assert set(found(reader, looked_for)) == {0, 1, 3, 6}
      index.remove(np.array([3]))
      assert set(found(reader, looked_for)) == {0, 1, 6}
  with VideoIndex.open(tmp_path / 'ix') as index:
    assert set(found(index, looked_for)) == {0, 1, 6}
    index.verify()


def test_one_without_segments_is_compared_as_a_whole(tmp_path):
  known, looked_for = videos(), clip(6.0)
  with VideoIndex.create(tmp_path / 'ix', BITS) as index:
    add(index, [0, 1, 3], known)
    code, *_ = index.get(1)
    t = (np.unpackbits(code) * 2.0 - 1).astype(np.float32)
    near = looked_for._replace(whole=t + RNG.standard_normal(BITS) / 4)
    best, *others = index.moments(near, 5)
    cosine = t @ near.whole / np.linalg.norm(near.whole) / BITS**0.5
    assert (best.id, best.start, best.end) == (1, None, None)
    assert best.score == pytest.approx(cosine, abs=1e-5)
    assert len(others) == 2 and index.moments(near, 1) == [best]


def test_a_rehash_renews_them_or_leaves_none(tmp_path):
  known, looked_for = videos(), clip(6.0)
  with VideoIndex.create(tmp_path / 'ix', BITS) as index:
    add(index, [0, 3], known)
    codes = index_cases.codes(2, seed=1)
    batch = np.array([0, 3]), codes, index_cases.relaxed(codes), None
    new = [known[9], None]
    index.rehash([(*batch, None, new)], BITS, 'new')
    hits = {hit.id: hit for hit in index.moments(looked_for, 5)}
    (expected,) = segments.find({0: known[9]}, looked_for, 5)
    assert hits[0].score == expected.score and hits[3].start is None
    index.rehash([batch], BITS, 'newer')
    assert [x.start for x in index.moments(looked_for, 5)] == [None, None]


def test_a_damaged_row_is_said(tmp_path):
  with VideoIndex.create(tmp_path / 'ix', BITS) as index:
    add(index, [0], videos())
  database = sqlite3.connect(tmp_path / 'ix' / 'index.sqlite')
  with database:
    database.execute('UPDATE segments SET duration = 9')
  database.close()
  with VideoIndex.open(tmp_path / 'ix', read_only=True) as index:
    for read in (index.verify, lambda: index.moments(clip(6.0), 1)):
      with pytest.raises(errors.Damaged, match='segments of id 0'):
        read()


def test_segments_of_other_codes_are_refused(tmp_path):
  with VideoIndex.create(tmp_path / 'ix', BITS) as index:
    short = Segments(2.0, 2.0, np.zeros((1, 1), np.uint8))
    with pytest.raises(errors.InvalidRequest, match='have 8 bits'):
      add(index, [0], {0: short})
    assert len(index) == 0
