"""ITQ against float64 NumPy."""

import jax
import moments_reference as reference
import numpy as np
import pytest
import shallow_data

from nph_jax import errors
from nph_jax.models import itq, linear_code

K = 8


def quantization_error(projected, rotation):
  rotated = projected @ rotation
  return np.square(np.where(rotated >= 0, 1, -1) - rotated).sum()


@pytest.fixture(scope='module')
def videos():
  return shallow_data.clusters()


@pytest.fixture(scope='module')
def projected(videos):
  points = videos.astype(np.float64)
  return (points - points.mean(axis=0)) @ reference.principal(points, K)[0]


@pytest.mark.parametrize('count', [90, 10])
def test_directions_are_the_principal_ones(count):
  """Of more videos than values, and of fewer."""
  videos = shallow_data.clusters(count)
  features = shallow_data.features(videos)
  found = linear_code.principal_directions(features, K)
  expected = reference.principal(videos.astype(np.float64), K)
  for values, wanted in zip(found, expected):
    np.testing.assert_allclose(values, wanted, rtol=1e-6, atol=1e-4)
  every = linear_code.principal_directions(features, videos.shape[1])[0]
  given = np.linalg.norm(every, axis=0)
  np.testing.assert_allclose(given, np.arange(12) < count - 1, atol=1e-9)


def test_no_round_raises_the_quantisation_error(projected):
  rotation = itq.random_rotation(jax.random.key(0), K)
  errors_ = [quantization_error(projected, rotation)]
  for _ in range(itq.NUM_ITERATIONS):
    rotation = itq.fit_rotation(projected, rotation, 1)
    np.testing.assert_allclose(rotation @ rotation.T, np.eye(K), atol=1e-12)
    errors_.append(quantization_error(projected, rotation))
  assert (np.diff(errors_) <= 1e-9 * errors_[0]).all()
  assert errors_[-1] < 0.9 * errors_[0]


def test_a_round_is_the_solution_of_procrustes_problem(projected):
  """No small rotation of the solution comes nearer to the same signs."""
  start = itq.random_rotation(jax.random.key(1), K)
  binary = np.where(projected @ start >= 0, 1.0, -1.0)
  found = itq.fit_rotation(projected, start, 1)
  best = np.square(binary - projected @ found).sum()
  rng = np.random.default_rng(0)
  for _ in range(50):
    skew = 0.05 * rng.standard_normal((K, K))
    skew -= skew.T
    turn = np.linalg.solve(np.eye(K) - skew, np.eye(K) + skew)
    assert np.square(binary - projected @ (found @ turn)).sum() > best


def test_code_is_the_sign_of_the_rotated_components(videos):
  key = jax.random.key(2)
  method = shallow_data.build(itq.ITQ.build)
  tables = method.fit_tables(shallow_data.features(videos), key)
  params, collections = method.init(jax.random.key(9), tables)
  variables = method.inference_variables(params, collections)
  frames = shallow_data.as_frames(videos)
  relaxed = np.asarray(method.relaxed_code(variables, frames, None))
  points = videos.astype(np.float64)
  projection = reference.itq(points, K, itq.random_rotation(key, K))
  expected = (points - points.mean(axis=0)) @ projection
  np.testing.assert_allclose(relaxed, expected, atol=1e-4)


def test_the_seed_decides_the_rotation(videos):
  method = shallow_data.build(itq.ITQ.build)
  features = shallow_data.features(videos)
  first, again, other = (
    method.fit_tables(features, jax.random.key(seed))['projection']
    for seed in (0, 0, 1)
  )
  np.testing.assert_array_equal(first, again)
  assert np.abs(first - other).max() > 0.1


def test_directions_without_variance_count_for_nothing(videos):
  """Five videos span four directions; new videos differ in all twelve."""
  method = shallow_data.build(itq.ITQ.build)
  few = shallow_data.features(videos[:5])
  tables = method.fit_tables(few, jax.random.key(0))
  centred = videos[:5] - videos[:5].mean(axis=0, dtype=np.float64)
  seen = np.linalg.svd(centred)[2][:4]
  outside = np.random.default_rng(0).standard_normal(12)
  outside -= seen.T @ (seen @ outside)
  np.testing.assert_allclose(outside @ tables['projection'], 0, atol=1e-5)
  assert (np.abs(seen @ tables['projection']).max(axis=1) > 0.01).all()


def test_more_bits_than_directions_is_an_error():
  with pytest.raises(errors.UserError, match='config.num_bits is 16, but'):
    shallow_data.build(itq.ITQ.build, num_bits=16)


def test_videos_that_are_all_alike_are_an_error():
  method = shallow_data.build(itq.ITQ.build)
  alike = shallow_data.features(np.ones((20, 12), np.float32))
  with pytest.raises(errors.UserError, match='the same mean frame'):
    method.fit_tables(alike, jax.random.key(0))
