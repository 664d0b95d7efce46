"""SSVH's loss against float64 NumPy over all N x N pairs."""

import basics
import jax
import jax.numpy as jnp
import methods
import numpy as np
import pytest
import rival_reference as reference

from nph_jax import code_bank, errors
from nph_jax.models import ssvh
from nph_jax.neighborhood import knn_graph

pytestmark = pytest.mark.usefixtures('float64')
B, M, L, K, N = 6, 5, 7, 8, 30
INDEX = np.array([3, 17, 8, 29, 0, 11])


def make(num_frames=M):
  return methods.make('ssvh', K, num_frames, L)


def hub_graph():
  """S [N, N] with one video that all others neighbour, and its tables."""
  rng = np.random.default_rng(5)
  s = rng.random((N, N)) < 0.1
  s = s | s.T | np.eye(N, dtype=bool)
  s[17] = s[:, 17] = True
  starts = np.concatenate([[0], np.cumsum(s.sum(axis=1))])
  return s.astype(float), {
    'neighbor_starts': jnp.asarray(starts, jnp.int32),
    'neighbors': jnp.asarray(np.nonzero(s)[1], jnp.int32),
  }


@pytest.fixture
def problem():
  method = make()
  s, tables = hub_graph()
  params, collections = basics.state(method.init, jax.random.key(0), tables)
  rng = np.random.default_rng(0)
  batch = {'frames': rng.normal(size=(B, M, L)), 'index': INDEX}
  bank = rng.normal(size=(N, K))
  collections = collections | {
    code_bank.NAME: {'codes': bank, 'seen': np.ones(N, bool)}
  }
  return method, params, collections, batch, s, tables


def test_loss_is_the_original_sum_divided_by_its_elements(problem):
  method, params, collections, batch, s, tables = problem
  loss, terms, after = reference.loss(
    method, params, collections, batch, tables
  )
  t, sums = reference.autoencoder(params, batch['frames'], stride=2)
  bank = np.array(collections[code_bank.NAME]['codes'])
  bank[INDEX] = t
  pairs = quantization = 0.0
  for row, i in enumerate(INDEX):
    quantization += ((t[row] - basics.sign(t[row])) ** 2).sum()
    for j in range(N):
      pairs += (t[row] @ bank[j] / K - s[i, j]) ** 2
  used = 4  # of the five frames
  rebuilt = (sums['reverse'] + sums['forward'] + used * sums['mean']) / 3
  total = 0.999 * (pairs + 0.2 * quantization) + 0.001 * rebuilt
  np.testing.assert_allclose(loss, total / (0.001 * B * used * L), rtol=1e-9)
  np.testing.assert_allclose(terms['pairs'], pairs / (B * N), rtol=1e-9)
  np.testing.assert_allclose(after[code_bank.NAME]['codes'], bank, rtol=1e-9)


@pytest.mark.parametrize('chunk', [1, 7, 64])
def test_pair_gradient_holds_the_others_constant(problem, monkeypatch, chunk):
  monkeypatch.setattr(ssvh, '_CHUNK', chunk)
  _, _, collections, _, s, tables = problem
  bank = np.array(collections[code_bank.NAME]['codes'])
  t = bank[INDEX]
  gradient = jax.jit(jax.grad(ssvh.pair_loss))(t, INDEX, bank, tables)
  error = t @ bank.T / K - s[INDEX]
  np.testing.assert_allclose(gradient, 2 * error @ bank / (K * B * N))


def test_the_last_frame_of_an_odd_number_is_not_read(problem):
  method, params, collections, batch, _, _ = problem
  variables = method.inference_variables(params, collections)
  frames = batch['frames'].copy()
  encode = jax.jit(lambda v: method.relaxed_code(variables, v, None))
  codes = encode(frames)
  frames[:, -1] += 1
  np.testing.assert_array_equal(encode(frames), codes)
  frames[:, -2] += 1
  assert np.abs(encode(frames) - codes).max() > 0


def test_graph_is_of_the_mean_frames():
  frames = np.random.default_rng(0).normal(size=(N, M, L)).astype(np.float32)
  tables = make().fit_tables(methods.features(frames), jax.random.key(0))
  starts, columns = knn_graph.union_graph(
    knn_graph.nearest_by_cosine(frames.mean(axis=1))
  )
  np.testing.assert_array_equal(tables['neighbor_starts'], starts)
  np.testing.assert_array_equal(tables['neighbors'], columns)


def test_videos_of_one_frame_are_an_error():
  with pytest.raises(errors.UserError, match='needs 2 or more'):
    make(num_frames=1)
