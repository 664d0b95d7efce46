"""Relevance by shared label, and the search for the query itself."""

import hashlib

import numpy as np
import pytest

from nph_jax.retrieval import relevance


@pytest.mark.parametrize('density', [0.0, 0.05, 0.3, 1.0])
def test_relevant_means_at_least_one_shared_label(density):
  rng = np.random.default_rng(0)
  queries = (rng.random((11, 6)) < density).astype(np.uint8)
  database = (rng.random((30, 6)) < density).astype(np.uint8)
  index = relevance.LabelIndex(database)
  shared = queries.astype(int) @ database.T.astype(int)
  np.testing.assert_array_equal(index.relevant(queries), shared > 0)


def test_a_video_without_labels_shares_none():
  index = relevance.LabelIndex(np.array([[0, 0], [0, 1]]))
  expected = [[False, False], [False, True]]
  np.testing.assert_array_equal(
    index.relevant(np.array([[0, 0], [1, 1]])), expected
  )


@pytest.mark.parametrize('as_rows', [False, True])
def test_self_is_the_first_of_equal_content_and_equal_labels(as_rows):
  def digests(contents):
    found = [hashlib.sha256(content.encode()).digest() for content in contents]
    return np.array([list(d) for d in found], np.uint8) if as_rows else found

  rows = relevance.self_rows_by_content(
    digests('abcd'),
    digests('xaabbc'),
    np.array([[0, 1], [1, 1], [1, 0], [1, 0]]),
    np.array([[1, 0], [1, 0], [0, 1], [1, 0], [0, 1], [1, 0]]),
  )
  # a: its labels are row 2's; b: no row has its labels; c: plain; d: absent.
  np.testing.assert_array_equal(rows, [2, 3, 5, -1])
  assert rows.dtype == np.int64


def test_labels_of_another_integer_type_are_still_equal_labels():
  rows = relevance.self_rows_by_content(
    [b'a'], [b'a', b'a'], np.array([[2, 0]], np.int32), np.eye(2)[::-1]
  )
  np.testing.assert_array_equal(rows, [1])
