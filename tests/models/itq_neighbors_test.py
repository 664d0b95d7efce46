"""itq_neighbors against dense float64 NumPy, and against variance."""

import basics
import dense_graphs as graphs
import jax
import methods
import numpy as np
import pytest
import scipy.linalg

from nph_jax import errors
from nph_jax.models import (
  itq,
  itq_moments,
  itq_neighbors,
  log_covariance,
)

N, M, L, BITS, CLASSES = 240, 4, 16, 8, 6


def clips(count=N, seed=0):
  """Frames [N, M, L]: half of the values vary most and tell no class."""
  rng = np.random.default_rng(seed)
  centres = np.random.default_rng(9).standard_normal((CLASSES, L))
  centres[:, : L // 2] = 0
  video = 0.3 * rng.standard_normal((count, 1, L))
  video[..., : L // 2] += 1.5 * rng.standard_normal((count, 1, L // 2))
  frames = centres[np.arange(count) % CLASSES, None] + video
  noise = 0.3 * rng.standard_normal((count, M, L))
  return (frames + noise).astype(np.float32)


def build(name='itq_neighbors', num_bits=BITS):
  return methods.make(name, num_bits, M, L)


def dense_smoothed_graph(x, k):
  return graphs.smoothed(graphs.nearest_others(graphs.cosines(x), k))[1]


def dense_directions(x, s):
  """The generalised problem as the docstring writes it; W diag(l)."""
  covariance = x.T @ x / len(x)
  ridge = 0.3 * np.trace(covariance) / len(covariance)
  values, vectors = scipy.linalg.eigh(
    x.T @ s @ x / len(x), covariance + ridge * np.eye(x.shape[1])
  )
  return (vectors * np.maximum(values, 0))[:, ::-1]


def dense_embedding(pooled, k, num_dims):
  """Both rounds for vectors [N, W]: projection [W, D]."""
  centred = pooled - pooled.mean(axis=0)
  _, singular, rows = np.linalg.svd(centred, full_matrices=False)
  principal = rows[singular > 1e-4 * singular[0]].T
  x = centred @ principal
  first = dense_directions(x, dense_smoothed_graph(x, k))[:, :64]
  both = np.hstack([basics.unit(x), basics.unit(x @ first)])
  second = dense_directions(x, dense_smoothed_graph(both, k))
  return principal @ second[:, :num_dims]


def vectors_of(frames, tables):
  return np.asarray(log_covariance.pool(frames, tables), np.float64)


def test_is_the_dense_computation_from_the_equations():
  frames, key = clips(), jax.random.key(3)
  tables, found = itq_neighbors.fit(BITS, methods.features(frames), key)
  vectors = vectors_of(frames, tables)
  expected = dense_embedding(vectors, 15, BITS)
  signs = np.sign(np.sum(expected * found.projection, axis=0))
  expected *= signs
  y = (vectors - vectors.mean(axis=0)) @ expected
  scale = np.abs(y).max()
  np.testing.assert_allclose(found.y, y, atol=2e-3 * scale)

  rotation = itq.fit_rotation(found.y, itq.random_rotation(key, BITS))
  method = build()
  params, collections = method.init(jax.random.key(9), tables)
  variables = method.inference_variables(params, collections)
  relaxed = method.relaxed_code(variables, frames, None)
  np.testing.assert_allclose(relaxed, y @ rotation, atol=2e-3 * scale)


def precision(relaxed, queries, rank=10):
  """Of the nearest `rank` by Hamming distance, the videos of one's class."""
  codes = np.where(relaxed >= 0, 1, -1)
  order = np.argsort(-codes[:queries] @ codes[queries:].T, 1, 'stable')
  same = (np.arange(queries)[:, None] - order - queries) % CLASSES == 0
  return same[:, :rank].mean()


def test_finds_the_classes_where_variance_misleads():
  train, new = clips(), clips(seed=1)
  scores = {}
  for name in ('itq_moments', 'itq_neighbors'):
    method = build(name)
    tables = method.fit_tables(methods.features(train), jax.random.key(0))
    params, _ = method.init(jax.random.key(9), tables)
    scores[name] = precision(method.relaxed_code(params, new, None), 30)
  assert scores['itq_neighbors'] > scores['itq_moments'] + 0.3, scores


def test_the_seed_decides_the_rotation_only():
  first, again, other = (
    itq_neighbors.fit(BITS, methods.features(clips()), jax.random.key(seed))
    for seed in (0, 0, 1)
  )
  for name, value in first[0].items():
    np.testing.assert_array_equal(again[0][name], value)
  np.testing.assert_array_equal(first[1].y, other[1].y)
  change = first[0]['projection'] - other[0]['projection']
  assert np.abs(change).max() > 0.01


def test_more_dimensions_begin_with_the_fewer():
  few, many = (
    itq_neighbors.embed(methods.features(clips()), num_dims)
    for num_dims in (8, 24)
  )
  assert many.y.shape == (N, 24)
  np.testing.assert_allclose(many.y[:, :8], few.y, atol=1e-6)


@pytest.mark.parametrize(
  'num_videos, expected',
  [(12, 3), (440, 21), (1311, 36), (2000, 40), (500_000, 40)],
)
def test_number_of_neighbours(num_videos, expected):
  assert itq_neighbors.num_neighbors(num_videos) == expected


def test_fewer_videos_than_bits_still_make_a_code():
  """As ITQ: the few directions are spread over all bits."""
  method = build(num_bits=16)
  frames = clips(count=12)
  tables = method.fit_tables(methods.features(frames), jax.random.key(0))
  assert np.linalg.matrix_rank(tables['projection'], tol=1e-5) <= 11
  params, _ = method.init(jax.random.key(9), tables)
  relaxed = np.asarray(method.relaxed_code(params, frames, None))
  assert np.isfinite(relaxed).all()
  assert len(np.unique(relaxed >= 0, axis=0)) > 4


@pytest.mark.parametrize('count', [1, 11])
def test_too_few_videos_for_neighbours(count):
  with pytest.raises(errors.UserError, match='needs 12 training videos'):
    build().fit_tables(methods.features(clips(count)), jax.random.key(0))


def test_videos_that_are_all_alike():
  alike = np.ones((20, M, L), np.float32)
  with pytest.raises(errors.UserError, match='all have the same'):
    build().fit_tables(methods.features(alike), jax.random.key(0))


def test_more_bits_than_the_vector_is_wide():
  width = log_covariance.dim(L)
  with pytest.raises(errors.UserError, match='config.num_bits'):
    build(num_bits=width + 5)
  assert isinstance(build(), itq_moments.ITQOfMoments)
