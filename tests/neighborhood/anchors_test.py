"""K-means, nearest anchors and the choice of their number."""

from __future__ import annotations

import warnings

import h5py
import jax
import numpy as np
import pytest
import sklearn.cluster
import sklearn.exceptions

from nph_jax import errors
from nph_jax.neighborhood import anchor_graph, anchors


def _blobs(num_videos, width, num_blobs, seed=0):
  rng = np.random.default_rng(seed)
  means = 4 * rng.standard_normal((num_blobs, width))
  noise = rng.standard_normal((num_videos, width))
  return (means[rng.integers(0, num_blobs, num_videos)] + noise).astype('f4')


def _squared(features, centres):
  """Squared distances (N, C) in float64, from the differences."""
  offsets = features[:, None].astype('f8') - centres[None].astype('f8')
  return (offsets**2).sum(-1)


def _numpy_lloyd(features, centres, num_iterations):
  """Plain float64 Lloyd without empty clusters."""
  centres = centres.astype('f8')
  for _ in range(num_iterations):
    nearest = _squared(features, centres).argmin(1)
    centres = np.stack(
      [features[nearest == c].mean(0, dtype='f8') for c in range(len(centres))]
    )
  return centres


def _starts(features, num_anchors, seed):
  """The starting videos: what fit_anchors returns after no iteration."""
  return anchors.fit_anchors(features, num_anchors, num_iterations=0, seed=seed)


def test_starts_are_different_videos():
  features = np.arange(60, dtype='f4').reshape(30, 2)
  starts = _starts(features, 30, seed=3)
  np.testing.assert_array_equal(starts, features)
  few = _starts(features, 10, seed=3)
  assert len({row.tobytes() for row in few}) == 10
  assert not np.array_equal(few, _starts(features, 10, seed=4))


def test_fit_equals_scikit_learn_and_numpy():
  features = _blobs(700, 12, 9)
  found = anchors.fit_anchors(features, 15, num_iterations=7, seed=1)
  starts = _starts(features, 15, seed=1)
  with warnings.catch_warnings():
    warnings.simplefilter('ignore', sklearn.exceptions.ConvergenceWarning)
    theirs = sklearn.cluster.KMeans(
      15, init=starts, n_init=1, max_iter=7, tol=0, algorithm='lloyd'
    ).fit(features)
  assert found.dtype == np.float32
  np.testing.assert_allclose(
    found, _numpy_lloyd(features, starts, 7), rtol=1e-5, atol=1e-5
  )
  np.testing.assert_allclose(
    found, theirs.cluster_centers_, rtol=1e-4, atol=1e-4
  )


def test_empty_centres_move_to_the_farthest_different_videos():
  # Three starts on the nine equal videos leave two centres empty; the second
  # farthest video equals the farthest, but for the sign of a zero.
  features = np.zeros((13, 2), 'f4')
  features[9:] = [[1, 0], [0.0, 50], [-0.0, 50], [0, 9]]
  seed = next(s for s in range(99) if not _starts(features, 3, s).any())
  found = anchors.fit_anchors(features, 3, num_iterations=1, seed=seed)
  np.testing.assert_allclose(found[0], features.mean(0), rtol=1e-6)
  np.testing.assert_array_equal(found[1:], [[0, 50], [0, 9]])


@pytest.mark.parametrize('zero', [0.0, -0.0])
def test_all_centres_differ_while_distinct_videos_last(zero):
  distinct = np.random.default_rng(0).integers(1, 99, (8, 3)).astype('f4')
  distinct[:, 0] = zero
  features = np.repeat(distinct, [40, 1, 1, 30, 1, 1, 5, 1], axis=0)
  found = anchors.fit_anchors(features, 8, seed=0)
  np.testing.assert_array_equal(
    np.unique(found, axis=0), np.unique(distinct, axis=0)
  )
  # More than 8 cannot differ: the rest stay somewhere, and none of 8 is lost.
  more = anchors.fit_anchors(features, 12, seed=0)
  assert more.shape == (12, 3)
  assert np.isfinite(more).all()
  for video in distinct:
    assert (more == video).all(1).any()


def test_block_size_does_not_matter(monkeypatch):
  # Small integers: all products and sums are exact, whatever the order.
  features = (
    np.random.default_rng(0).integers(-9, 9, (333, 5)).astype(np.float32)
  )
  whole = anchors.fit_anchors(features, 20, num_iterations=1, seed=0)
  nearest = anchors.nearest_anchors(features, features[:9], 3)
  for block_size in (1, 7, 111):
    monkeypatch.setattr(anchors, 'BLOCK_SIZE', block_size)
    np.testing.assert_array_equal(
      anchors.fit_anchors(features, 20, num_iterations=1, seed=0), whole
    )
    np.testing.assert_array_equal(
      anchors.nearest_anchors(features, features[:9], 3), nearest
    )


def test_one_compilation_for_all_blocks(monkeypatch):
  monkeypatch.setattr(anchors, 'BLOCK_SIZE', 50)
  anchors._assign.clear_cache()
  anchors._nearest.clear_cache()
  features = _blobs(130, 6, 4)
  found = anchors.fit_anchors(features, 5, seed=0)
  anchors.nearest_anchors(features, found, 2)
  assert anchors._assign._cache_size() == 1
  assert anchors._nearest._cache_size() == 1


@pytest.mark.parametrize('kind', ['memmap', 'h5py'])
def test_features_on_disk(tmp_path, kind, monkeypatch):
  monkeypatch.setattr(anchors, 'BLOCK_SIZE', 64)
  features = _blobs(200, 4, 6)
  np.save(tmp_path / 'y.npy', features)
  with h5py.File(tmp_path / 'y.h5', 'w') as file:
    file['feats'] = features
  with h5py.File(tmp_path / 'y.h5') as file:
    stored = (
      np.load(tmp_path / 'y.npy', mmap_mode='r')
      if kind == 'memmap'
      else file['feats']
    )
    found = anchors.fit_anchors(stored, 12, seed=2)
    indices = anchors.nearest_anchors(stored, found, 3)
  expected = anchors.fit_anchors(features, 12, seed=2)
  np.testing.assert_array_equal(found, expected)
  np.testing.assert_array_equal(
    indices, anchors.nearest_anchors(features, expected, 3)
  )


def test_nearest_anchors_by_brute_force(monkeypatch):
  monkeypatch.setattr(anchors, 'BLOCK_SIZE', 64)
  features, centres = _blobs(150, 16, 7), _blobs(31, 16, 7, seed=1)
  indices = anchors.nearest_anchors(features, centres, 4)
  expected = _squared(features, centres).argsort(1, kind='stable')[:, :4]
  assert indices.dtype == np.int32
  np.testing.assert_array_equal(indices, expected)
  traced = jax.jit(anchors.nearest_anchors_jnp, static_argnums=2)(
    features, centres, 4
  )
  np.testing.assert_array_equal(traced, expected)


def test_equal_distances_go_to_the_lower_index():
  centres = np.array([[3, 0], [1, 0], [0, 1], [1, 0], [-1, 0]], 'f4')
  indices = anchors.nearest_anchors(np.zeros((1, 2), 'f4'), centres, 5)
  np.testing.assert_array_equal(indices, [[1, 2, 3, 4, 0]])


def test_impossible_requests(monkeypatch):
  monkeypatch.setattr(anchors, 'BLOCK_SIZE', 3)
  features = np.zeros((6, 2), 'f4')
  with pytest.raises(errors.UserError, match='7 anchors .* only 6 training'):
    anchors.fit_anchors(features, 7, seed=0)
  with pytest.raises(errors.UserError, match='4 nearest .* only 3 anchors'):
    anchors.nearest_anchors(features, features[:3], 4)
  with pytest.raises(errors.UserError, match='width 2.* width 1'):
    anchors.nearest_anchors(features, features[:3, :1], 2)
  features[4, 1] = np.nan
  for seed in range(5):  # whether or not it is one of the starts
    with pytest.raises(errors.UserError, match='video 4 is NaN'):
      anchors.fit_anchors(features, 3, seed=seed)
  with pytest.raises(errors.UserError, match='video 4 is NaN'):
    anchors.nearest_anchors(features, features[:3], 1)


@pytest.mark.parametrize(
  ('num_videos', 'num_blobs', 'num_nearest'),
  [(100, 10, 1), (440, 10, 1), (440, 300, 1), (1000, 30, 2), (2500, 5, 1)],
)
def test_chosen_number_meets_the_density(num_videos, num_blobs, num_nearest):
  features = _blobs(num_videos, 6, num_blobs)
  chosen = anchors.choose_num_anchors(
    features, num_nearest=num_nearest, num_iterations=4, seed=0
  )
  again = anchors.choose_num_anchors(
    features, num_nearest=num_nearest, num_iterations=4, seed=0
  )
  assert chosen == again
  number, density = chosen
  assert 2 <= number <= num_videos // 2
  found = anchors.fit_anchors(features, number, num_iterations=4, seed=0)
  indices = anchors.nearest_anchors(features, found, num_nearest)
  similarity = np.asarray(anchor_graph.pairwise_similarity(indices, indices))
  off_diagonal = similarity[~np.eye(num_videos, dtype=bool)]
  assert density == pytest.approx((off_diagonal > 0).mean(), rel=1e-9)
  if number < num_videos // 2:
    assert density == pytest.approx(0.01, rel=0.2)
  else:
    assert density > 0.01  # even N / 2 anchors leave more pairs than asked


def test_next_guess_is_exact_on_a_power_law():
  tried = {n: 0.2 * n**-0.6 for n in (50, 400)}
  assert anchors._next_guess(tried, 0.2 * 120**-0.6) == 120
  # One try: balanced clusters, density ~ 1/n.
  assert anchors._next_guess({100: 0.03}, 0.01) == 300


def test_next_guess_stays_where_the_target_is():
  # 100 and 110 alone would send it far beyond 130, which is too many.
  tried = {100: 0.03, 110: 0.0295, 130: 0.001}
  assert anchors._next_guess(tried, 0.01) == round((110 * 130) ** 0.5)


def test_choice_runs_k_means_at_most_six_times(monkeypatch):
  asked = []
  fit = anchors.fit_anchors

  def counting(features, num_anchors, **options):
    asked.append(num_anchors)
    return fit(features, num_anchors, **options)

  monkeypatch.setattr(anchors, 'fit_anchors', counting)
  monkeypatch.setattr(anchors, '_CLOSE_ENOUGH', 0.0)
  anchors.choose_num_anchors(_blobs(900, 4, 3), num_iterations=2, seed=0)
  assert len(asked) == len(set(asked))
  assert 2 <= len(asked) <= 6


def test_choice_on_the_smallest_sets():
  features = _blobs(10, 3, 4)
  number, density = anchors.choose_num_anchors(features, seed=0)
  assert 2 <= number <= 5
  assert 0 < density < 1
  same = anchors.choose_num_anchors(np.ones((10, 3), 'f4'), seed=0)
  assert same[1] == 1.0
