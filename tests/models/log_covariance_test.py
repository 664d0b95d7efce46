"""The logarithm of second moments, against SciPy's in float64."""

import jax
import methods
import moments_reference as reference
import numpy as np
import pytest

from nph_jax.models import log_covariance

N, M, L = 60, 5, 12
RNG = np.random.default_rng(0)
FRAMES = (RNG.normal(size=(N, M, L)) * np.linspace(3, 0.1, L) + 1).astype(
  np.float32
)


@pytest.mark.parametrize('num_frames', [1, M, 2 * L])
def test_is_the_matrix_logarithm(num_frames):
  tables = log_covariance.fit(methods.features(FRAMES))
  frames = RNG.normal(size=(7, num_frames, L)).astype(np.float32)
  frames[0] = tables['frame_mean']  # no more than the constant
  frames[1] = frames[1, :1]  # rank one
  found = jax.jit(log_covariance.pool)(frames, tables)
  assert found.shape == (7, log_covariance.dim(L))
  expected = reference.vectors(frames, *tables.values())
  np.testing.assert_allclose(found, expected, atol=2e-3)


def test_directions_are_half_whitened_of_mean_variance_one():
  tables = log_covariance.fit(methods.features(FRAMES))
  sample = np.concatenate(
    [part[np.arange(len(part)), np.arange(len(part)) % M]
     for part in np.split(FRAMES, 2)]
  )  # fmt: skip
  mean, axes = reference.directions(sample)
  np.testing.assert_allclose(tables['frame_mean'], mean, rtol=1e-5)
  np.testing.assert_allclose(tables['frame_directions'], axes, atol=1e-4)


def test_order_and_repetition_of_frames_do_not_matter():
  tables = log_covariance.fit(methods.features(FRAMES))
  pool = jax.jit(log_covariance.pool)
  expected = pool(FRAMES[:4], tables)
  for frames in (FRAMES[:4, ::-1], np.repeat(FRAMES[:4], 2, axis=1)):
    np.testing.assert_allclose(pool(frames, tables), expected, atol=2e-3)


def test_a_video_and_its_mirror_image_about_the_mean_differ():
  tables = log_covariance.fit(methods.features(FRAMES))
  mirrored = 2 * tables['frame_mean'] - FRAMES[:4]
  pool = jax.jit(log_covariance.pool)
  difference = np.abs(pool(FRAMES[:4], tables) - pool(mirrored, tables))
  assert (difference.max(axis=1) > 0.1).all()


def test_pools_a_split_block_by_block():
  tables = log_covariance.fit(methods.features(FRAMES))
  pooled = log_covariance.pooled_features(methods.features(FRAMES), tables)
  assert (pooled.num_videos, pooled.dim) == (N, log_covariance.dim(L))
  expected = np.asarray(jax.jit(log_covariance.pool)(FRAMES, tables))
  found = np.concatenate(list(pooled.blocks()))
  np.testing.assert_allclose(found, expected, atol=1e-4)
  np.testing.assert_allclose(pooled.mean, expected.mean(axis=0), atol=1e-4)


def test_at_most_so_many_directions():
  wide = RNG.normal(size=(10, 2, 100)).astype(np.float32)
  tables = log_covariance.fit(methods.features(wide))
  assert tables['frame_directions'].shape == (100, log_covariance.MAX_WIDTH)
  assert np.isfinite(tables['frame_directions']).all()
  shapes = jax.tree.map(np.shape, log_covariance.empty_tables(100))
  assert shapes == jax.tree.map(np.shape, tables)


def test_no_batch_of_matrices_goes_to_lapack_at_once():
  # Such calls, as many as XLA has threads, wait for each other for ever.
  if jax.default_backend() != 'cpu':
    pytest.skip('of the CPU alone')
  frames = np.zeros((32, 5, 8), np.float32)
  tables = log_covariance.empty_tables(8)
  compiled = jax.jit(log_covariance.pool).lower(frames, tables).compile()
  calls = [x for x in compiled.as_text().splitlines() if 'syevd_ffi' in x]
  assert calls and not any('[32,5,5]' in call for call in calls)
