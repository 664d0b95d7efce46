"""MFH against dense float64 NumPy."""

import dense_graphs as graphs
import jax
import numpy as np
import pytest
import shallow_data

from nph_jax import errors
from nph_jax.models import mfh

K = 8


@pytest.fixture(scope='module')
def videos():
  return shallow_data.clusters(num_videos=120)


def dense_laplacian(points):
  """Neighbours by sorting all distances."""
  distances = np.linalg.norm(points[:, None] - points[None], axis=2)
  adjacent = graphs.edges(graphs.nearest_others(-distances, 10))
  degrees = adjacent.sum(axis=1)
  return (np.diag(degrees) - adjacent) / degrees.mean()


def dense_weights(points, num_bits):
  """W and the objective's matrix, with centring written out."""
  number = len(points)
  centring = np.eye(number) - 1 / number
  x = points.T @ centring  # [P, N]
  ridge = 0.1 * np.trace(x @ x.T) / len(x) * np.eye(len(x))
  solve = np.linalg.inv(x @ x.T + ridge) @ x
  matrix = dense_laplacian(points) + 1.0 * (centring - x.T @ solve)
  values, vectors = np.linalg.eigh(matrix)
  constant = np.argmax(np.abs(vectors.mean(axis=0)))
  assert abs(values[constant]) < 1e-9
  embedding = np.delete(vectors, constant, axis=1)[:, :num_bits]
  return solve @ embedding, matrix


def test_laplacian_is_that_of_the_symmetric_neighbour_graph(videos):
  np.testing.assert_allclose(
    mfh.laplacian(videos).toarray(),
    dense_laplacian(videos.astype(np.float64)),
    atol=1e-12,
  )


def test_weights_are_the_regression_on_the_smallest_eigenvectors(videos):
  centred = videos - videos.mean(axis=0, dtype=np.float64)
  start = np.random.default_rng(0).standard_normal(len(videos))
  found = mfh.fit_weights(centred, mfh.laplacian(videos), K, start)
  expected, _ = dense_weights(centred, K)
  signs = np.sign(np.sum(found * expected, axis=0))
  scale = np.abs(expected).max()
  np.testing.assert_allclose(found * signs, expected, atol=1e-4 * scale)


def test_embedding_and_regression_minimise_the_objective(videos):
  """tr(Y^T L Y) + alpha (|X^T W + 1 b^T - Y|^2 + beta |W|^2), at its best W, b.

  That value is tr(Y^T C Y), smallest at the eigenvectors.
  """
  x = videos - videos.mean(axis=0, dtype=np.float64)
  weights, matrix = dense_weights(x, K)
  beta = 0.1 * np.trace(x.T @ x) / x.shape[1]
  rng = np.random.default_rng(0)
  y = rng.standard_normal((len(x), K))
  best = np.linalg.solve(x.T @ x + beta * np.eye(12), x.T @ y)

  def objective(w):
    offset = (y - x @ w).mean(axis=0)
    fit = np.square(x @ w + offset - y).sum() + beta * np.square(w).sum()
    return np.trace(y.T @ dense_laplacian(x) @ y) + 1.0 * fit

  np.testing.assert_allclose(objective(best), np.trace(y.T @ matrix @ y))
  for _ in range(20):
    moved = best + 0.01 * rng.standard_normal(best.shape)
    assert objective(moved) > objective(best)


def fitted(videos, seed=0):
  method = shallow_data.build(mfh.MFH.build)
  features = shallow_data.features(videos)
  return method, method.fit_tables(features, jax.random.key(seed))


def test_code_is_the_sign_of_the_projection_less_its_median(videos):
  method, tables = fitted(videos)
  params, _ = method.init(jax.random.key(9), tables)
  frames = shallow_data.as_frames(videos)
  relaxed = np.asarray(method.relaxed_code(params, frames, None))
  assert (np.sum(relaxed >= 0, axis=0) == len(videos) // 2).all()

  x = videos - videos.mean(axis=0, dtype=np.float64)
  projected = x @ dense_weights(x, K)[0]
  signs = np.sign(np.sum(relaxed * projected, axis=0))
  projected *= signs
  expected = projected - np.median(projected, axis=0)
  scale = np.abs(expected).max()
  np.testing.assert_allclose(relaxed, expected, atol=1e-3 * scale)


def test_the_start_of_the_iteration_decides_signs_only(videos):
  projections = [fitted(videos, seed)[1]['projection'] for seed in (0, 1)]
  scale = np.abs(projections[0]).max()
  np.testing.assert_allclose(*map(np.abs, projections), atol=1e-3 * scale)
  np.testing.assert_array_equal(fitted(videos)[1]['projection'], projections[0])


def test_too_few_videos_are_an_error():
  with pytest.raises(errors.UserError, match='needs more than 10 training'):
    fitted(shallow_data.clusters(num_videos=10))
