"""S5VH's Mamba, code, loss and pseudo-labels against float64 NumPy."""

import basics
import jax
import jax.numpy as jnp
import methods
import numpy as np
import pytest
import transformer_reference as reference

from nph_jax.models import mamba, masked_views, s5vh
from nph_jax.neighborhood import anchors

pytestmark = pytest.mark.usefixtures('float64')
B, M, L, K, WIDTH, N, C = 4, 7, 6, 8, 10, 40, 5
STATE, MASKED = 16, 3
INDEX = np.array([3, 17, 8, 29])
KEY = jax.random.key(5)


def make(**fields):
  return methods.make(
    's5vh',
    K,
    M,
    L,
    hidden_width=WIDTH,
    decoder_width=9,
    num_layers=2,
    num_clusters=C,
    drop_path=0.0,
    **fields,
  )


def silu(x):
  return x / (1 + np.exp(-x))


def mamba_of(p, x):
  """Of one video's rows x [T, H], one state and channel after the other."""
  inner, rank = 2 * x.shape[1], -(-x.shape[1] // 16)
  both = basics.dense(p['Dense_0'], x)
  u, gate = both[:, :inner], both[:, inner:]
  taps = p['CausalConvolution_0']
  convolved = np.zeros_like(u)
  for t in range(len(u)):
    for back in range(4):
      if t - back >= 0:
        convolved[t] += taps['kernel'][3 - back] * u[t - back]
  u = silu(convolved + taps['bias'])
  rest = basics.dense(p['Dense_1'], u)
  b, c = rest[:, rank : rank + STATE], rest[:, rank + STATE :]
  step = np.log1p(np.exp(basics.dense(p['Dense_2'], rest[:, :rank])))
  y = np.zeros_like(u)
  for channel in range(inner):
    state = np.zeros(STATE)
    a = -np.exp(p['log_a'][channel])
    for t in range(len(u)):
      dt = step[t, channel]
      state = np.exp(dt * a) * state + dt * b[t] * u[t, channel]
      y[t, channel] = c[t] @ state + p['skip'][channel] * u[t, channel]
  return basics.dense(p['Dense_3'], y * silu(gate))


def block(p, z):
  forward = mamba_of(p['Mamba_0'], reference.layer_norm(p['LayerNorm_0'], z))
  turned = reference.layer_norm(p['LayerNorm_1'], z[::-1])
  return z + forward + mamba_of(p['Mamba_0'], turned)[::-1]


@pytest.mark.parametrize('moves', [False, True])
def test_loss_and_labels_are_the_definition_of_them(moves):
  method = make(weights__contrast=0.7, weights__clusters=0.3)
  tables = {'clusters': jnp.asarray(np.arange(N) % C, jnp.int32)}
  params, collections = basics.state(method.init, KEY, tables)
  draw = np.random.default_rng(7)
  table = draw.dirichlet(np.ones(C), N)
  collections = {s5vh.NAME: {'table': table, 'moves': np.asarray(moves)}}
  frames = draw.normal(size=(B, M, L))
  run = jax.jit(lambda *a: method.loss(*a, {}, KEY, None))
  loss, (terms, after) = run(
    params, collections, {'frames': frames, 'index': INDEX}
  )
  views = masked_views.draw(jax.random.split(KEY, 3)[0], INDEX, M, MASKED)
  codes, error = reference.of_views(params, frames, views, block, block)
  classify = params['decode_clusters']['kernel']
  variables = method.inference_variables(params, collections)
  assert set(variables) == {'params'}
  whole = reference.whole_codes(params, frames, block)
  np.testing.assert_allclose(
    jax.jit(method.relaxed_code)(variables, frames, None), whole, rtol=1e-9
  )
  expected = table.copy()
  if moves:
    guess = basics.softmax(whole @ classify)
    expected[INDEX] = 0.99 * table[INDEX] + 0.01 * guess
  np.testing.assert_allclose(after[s5vh.NAME]['table'], expected, rtol=1e-8)
  entropy = 0.0
  for h in codes:
    logs = np.log(basics.softmax(h @ classify / (K * 0.5)))
    entropy -= (expected[INDEX] * logs).sum(axis=1).mean() / 2
  contrast = reference.debiased_contrast(*codes, 0.1, 0.5)
  np.testing.assert_allclose(terms['clusters'], entropy, rtol=1e-8)
  np.testing.assert_allclose(
    loss, error + 0.7 * contrast + 0.3 * entropy, rtol=1e-8
  )


def test_drop_path_leaves_blocks_out_row_by_row():
  x = np.random.default_rng(0).normal(size=(3, M, WIDTH))
  module = mamba.Block()
  params = module.init(KEY, x)
  whole, _ = module.apply(params, x)
  part, _ = module.apply(params, x, np.array([0.0, 1.0, 2.0]))
  expected = x + np.array([0.0, 1.0, 2.0])[:, None, None] * (whole - x)
  np.testing.assert_allclose(part, expected, rtol=1e-9)


def test_labels_move_after_the_warm_up():
  method = make(cluster_warmup=3)
  labels = {'table': np.eye(2), 'moves': np.asarray(False)}
  for epoch, expected in ((2, False), (3, True), (9, True)):
    found = method.begin_epoch({s5vh.NAME: labels}, epoch, None, KEY)
    assert found[s5vh.NAME]['moves'] == expected
    np.testing.assert_array_equal(found[s5vh.NAME]['table'], np.eye(2))


@pytest.mark.slow
def test_labels_begin_as_clusters_of_the_mean_frames():
  draw = np.random.default_rng(0)
  kinds = draw.integers(0, C, N)
  means = 5 * draw.normal(size=(C, L))[kinds] + 0.01 * draw.normal(size=(N, L))
  features = methods.features(means[:, None].astype(np.float32))
  method = make()
  labels = method.fit_tables(features, KEY)['clusters']
  rows = means - means.mean(axis=0)
  seed = int(jax.random.bits(KEY, dtype='uint32'))
  _, _, axes = np.linalg.svd(rows)
  centres = anchors.fit_anchors(rows @ axes.T, C, num_iterations=17, seed=seed)
  expected = anchors.nearest_anchors(rows @ axes.T, centres, 1)[:, 0]
  np.testing.assert_array_equal(labels, expected)
  _, collections = method.init(KEY, {'clusters': jnp.asarray(labels)})
  np.testing.assert_array_equal(
    collections[s5vh.NAME]['table'], np.eye(C)[labels]
  )
