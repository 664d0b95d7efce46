"""The search for the query itself in the database, by content."""

import numpy as np

from nph_jax.stages import evaluating


def split(digests, labels):
  digests = np.array(digests, np.int64)
  return evaluating.EncodedSplit(None, None, np.asarray(labels), digests)


def test_self_is_the_first_of_equal_content_and_equal_labels():
  query = split([1, 2, 3, 4], [[0, 1], [1, 1], [1, 0], [1, 0]])
  labels = [[1, 0], [1, 0], [0, 1], [1, 0], [0, 1], [1, 0]]
  rows = evaluating.self_rows(query, split([9, 1, 1, 2, 2, 3], labels))
  # 1: its labels are row 2's; 2: no row has its labels; 3: plain; 4: absent.
  np.testing.assert_array_equal(rows, [2, 3, 5, -1])
  assert rows.dtype == np.int64


def test_labels_of_another_integer_type_are_still_equal_labels():
  query = split([1], np.array([[2, 0]], np.int32))
  rows = evaluating.self_rows(query, split([1, 1], np.eye(2)[::-1]))
  np.testing.assert_array_equal(rows, [1])
