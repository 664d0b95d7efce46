"""What callers of an index do wrong: one sentence, and nothing changes."""

import functools

import numpy as np
import programs
import pytest
from index_cases import BITS, assert_nearest, codes

from nph_jax import errors
from nph_jax.index import VideoIndex, folder

T2 = np.ones((2, BITS))


def nested(depth):
  return functools.reduce(lambda inner, _: [inner], range(depth), [])


@pytest.mark.parametrize(
  ('call', 'complaint'),
  [
    (lambda i: i.search(codes(2)[:, :1], 3), 'have 8 bits, but the'),
    (lambda i: i.search_arrays(codes(2).astype(int), 3), 'int64 of shape'),
    (lambda i: i.search_arrays(codes(2), 10**12), 'holds 90 videos'),
    (lambda i: i.search_arrays(codes(2), 10**30), 'holds 90 videos'),
    (lambda i: i.add(codes(1), [['ab']], T2[:1]), "['ab'] is no dict"),
    (lambda i: i.add(codes(1), [7], T2[:1]), '7 is no dict'),
    (lambda i: i.search(codes(2)[0], 3), 'uint8 of shape (2,)'),
    (lambda i: i.search(codes(2), 0), 'k: is 0; expected'),
    (lambda i: i.search(codes(2), True), 'k: is True'),
    (lambda i: i.search(codes(2), None), 'number of results, or a'),
    (lambda i: i.search(codes(2), 3, radius=17), 'from 0 to 16'),
    (lambda i: i.search(codes(2), 3, rerank=-1), 'rerank: is -1'),
    (lambda i: i.search(codes(2), 3, rerank=9), 'needs the real-valued t'),
    (
      lambda i: i.search(codes(2), 3, rerank=9, relaxed=np.ones((1, 16))),
      't: float64 of shape (1, 16)',
    ),
    (lambda i: i.search(codes(2), 3, where={'lable': 1}), 'are: duration'),
    (lambda i: i.search(codes(2), 3, where={'size': []}), 'is no text, number'),
    (lambda i: i.add(codes(2), None), 'keeps the real-valued t'),
    (lambda i: i.add(codes(2), None, np.ones((2, 8))), 't: float64 of'),
    (lambda i: i.add(codes(1), None, np.full((1, 16), 1e5)), 'float16 holds'),
    (lambda i: i.add(codes(1), None, np.full((1, 16), np.nan)), 't: has NaN'),
    (lambda i: i.add(codes(2), [{}], np.ones((2, 16))), 'metadata: 1 for 2'),
    (
      lambda i: i.add(codes(1), [{'a': {1}}], np.ones((1, 16))),
      'metadata of video 0: cannot be written as JSON',
    ),
    (
      lambda i: i.add(codes(1), [{'a': np.nan}], np.ones((1, 16))),
      'metadata of video 0: cannot be written as JSON',
    ),
    (
      lambda i: i.add(codes(1), [{'a': '\ud800'}], np.ones((1, 16))),
      'metadata of video 0: cannot be written as JSON',
    ),
    (
      lambda i: i.add(codes(1), [{'a': nested(10_000)}], np.ones((1, 16))),
      'metadata of video 0: cannot be written as JSON',
    ),
    (lambda i: i.add(codes(1), None, np.ones((1, 16)), ids=[7]), 'id 7 is in'),
    (lambda i: i.add(codes(1), None, np.ones((1, 16)), ids=[-1]), 'from 0 up'),
    (lambda i: i.add(codes(2), None, T2, ids=[900, 900]), 'twice'),
    (lambda i: i.add(codes(2), None, T2, ids=[900]), '1 for 2 videos'),
    (lambda i: i.remove(['x']), 'expected a list of whole numbers'),
    (lambda i: i.get(90), 'no video with id 90'),
    (lambda i: i.check_bundle('cd', 16), 'bundle ab, but this one is cd'),
    (lambda i: i.check_bundle('ab', 32), 'but the bundle makes codes of 32'),
  ],
)  # fmt: skip
def test_mistakes_get_one_sentence_and_change_nothing(index, call, complaint):
  with programs.one_sentence(complaint):
    call(index)
  assert_nearest(index, codes()[:3], codes(), np.arange(90), 90)
  index.verify()


def test_many_names_are_not_all_listed(tmp_path):
  with VideoIndex.create(tmp_path / 'ix', BITS, keep_relaxed=False) as index:
    index.add(codes(50), [{f'name {n:04}': n} for n in range(50)])
    with pytest.raises(errors.UserError) as caught:
      index.search(codes(1), 3, where={'nam': 1})
  said = str(caught.value)
  assert said.endswith('name 0018, name 0019 and 30 more.')


@pytest.mark.parametrize(
  ('options', 'complaint'),
  [
    ({'num_bits': 12}, 'num_bits: is 12'),
    ({'num_bits': 0}, 'num_bits: is 0'),
    ({'engine': 'magic'}, "engine: 'magic' is unknown"),
    ({'uri': 'x'}, 'the engine flat has none'),
  ],
)
def test_what_cannot_be_created(tmp_path, options, complaint):
  with pytest.raises(errors.UserError, match=complaint):
    VideoIndex.create(tmp_path / 'ix', **{'num_bits': 8, **options})
  assert not (tmp_path / 'ix').exists()


def test_creation_disturbs_nothing_that_is_there(index, tmp_path):
  with pytest.raises(errors.UserError, match='an index is there already'):
    VideoIndex.create(tmp_path / 'ix', BITS)
  (tmp_path / 'other').mkdir()
  (tmp_path / 'other' / 'mine.txt').write_text('x')
  with pytest.raises(errors.UserError, match='holds other files'):
    VideoIndex.create(tmp_path / 'other', BITS)
  with pytest.raises(errors.UserError, match='is a file'):
    VideoIndex.create(tmp_path / 'other' / 'mine.txt', BITS)
  with pytest.raises(errors.UserError, match='index.sqlite: is missing'):
    VideoIndex.open(tmp_path / 'other')
  assert not folder.is_index(tmp_path / 'other')


@pytest.mark.parametrize(
  'call',
  [
    lambda i: i.add(codes(1), None, T2[:1]),
    lambda i: i.remove([1]),
    lambda i: i.search(codes(1), 3),
    lambda i: i.items(),
    lambda i: i.compact(),
    lambda i: i.verify(),
  ],
)
def test_a_closed_index_says_so(index, tmp_path, call):
  index.close()
  with pytest.raises(errors.UserError) as caught:
    call(index)
  assert str(caught.value) == (
    f'{tmp_path / "ix"}: this index is closed; open it again.'
  )
