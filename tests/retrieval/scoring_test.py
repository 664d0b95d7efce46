"""Relevance by shared label."""

import numpy as np
import pytest

from nph_jax.retrieval import scoring


@pytest.mark.parametrize('density', [0.0, 0.05, 0.3, 1.0])
def test_relevant_means_at_least_one_shared_label(density):
  rng = np.random.default_rng(0)
  queries = (rng.random((11, 6)) < density).astype(np.uint8)
  database = (rng.random((30, 6)) < density).astype(np.uint8)
  index = scoring.LabelIndex(database)
  shared = queries.astype(int) @ database.T.astype(int)
  np.testing.assert_array_equal(index.relevant(queries), shared > 0)


def test_a_video_without_labels_shares_none():
  index = scoring.LabelIndex(np.array([[0, 0], [0, 1]]))
  expected = [[False, False], [False, True]]
  np.testing.assert_array_equal(
    index.relevant(np.array([[0, 0], [1, 1]])), expected
  )
