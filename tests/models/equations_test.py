"""Eq. 1-12 and 15-17 against float64 NumPy written from the paper."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from nph_jax import configuration
from nph_jax.models import registry

B, M, L, K, A, D, WIDTH = 6, 4, 7, 8, 3, 5, 9
ANCHORS = 10


@pytest.fixture(autouse=True)
def float64():
  with jax.enable_x64(True):
    yield


@pytest.fixture
def problem():
  """A small NPH with random parameters, and one batch."""
  config = configuration.base()
  model = config.model.to_dict()
  model.update(memory_width=WIDTH, hidden_width=WIDTH, dropout_rate=0.0)
  model['attention']['scale'] = 3.0
  model['literal'] = True
  method = registry.build(
    'nph',
    num_bits=K,
    num_frames=M,
    frame_dim=L,
    model=model,
    loss=config.loss.to_dict(),
  )
  rng = np.random.default_rng(0)
  tables = {
    'anchors': rng.normal(size=(ANCHORS, D)),
    'anchor_indices': np.stack(
      [rng.permutation(ANCHORS)[:A] for _ in range(2 * B)]
    ),
  }
  tables = {k: jnp.asarray(v) for k, v in tables.items()}
  params, collections = method.init(jax.random.key(1), tables)
  params = jax.tree.map(lambda x: rng.normal(size=x.shape) / 2, params)
  batch = {
    'frames': rng.normal(size=(B, M, L)),
    'index': rng.permutation(2 * B)[:B],
  }
  return method, params, collections, batch, tables


def sigmoid(x):
  return 1 / (1 + np.exp(-x))


def dense(p, x):
  return x @ p['kernel'] + p['bias']


def attention(p, memory, frame, scale):
  """Eq. 3, video by video, as matrices."""
  out = []
  for m, v in zip(memory, frame):
    rows = np.stack([m, v])
    scores = (m @ p['query']['kernel']) @ (rows @ p['key']['kernel']).T
    weights = np.exp(scores / np.sqrt(scale))
    weights /= weights.sum()
    out.append(weights @ (rows @ p['value']['kernel']))
  return np.array(out)


def encoder(p, frames, memory, scale, epsilon, moments=None):
  """Eq. 3-9; with `moments` (mean, variance), those normalise."""
  cell_p, norm = p['cell'], p['norm']
  c = h = np.zeros((len(frames), WIDTH))
  seen = []
  for t in range(M):
    v = frames[:, t]
    g = cell_p['gates']
    gates = v @ g['input_kernel'] + h @ g['recurrent_kernel'] + g['bias']
    i, f, o = (sigmoid(x) for x in np.split(gates, 3, axis=1))
    memory = attention(
      cell_p['attention'], memory, dense(cell_p['embed'], v), scale
    )
    mlp = dense(cell_p['mlp_1'], np.maximum(dense(cell_p['mlp_0'], memory), 0))
    c = f * c + i * mlp
    mean, variance = (
      (c.mean(0), c.var(0))
      if moments is None
      else (moments[0][t], moments[1][t])
    )
    seen.append((mean, variance))
    c = (c - mean) / np.sqrt(variance + epsilon)
    c = c * norm['gamma'][t] + norm['beta'][t]
    h = o * np.tanh(c)
  return h, memory, seen


def decoder(p, frame):
  """The free-running LSTM; gates in the order i, f, g, o."""
  g = p['cell']['lstm']['gates']
  c = h = np.zeros((len(frame), WIDTH))
  frames = []
  for _ in range(M):
    gates = frame @ g['input_kernel'] + h @ g['recurrent_kernel'] + g['bias']
    i, f, cand, o = np.split(gates, 4, axis=1)
    c = sigmoid(f) * c + sigmoid(i) * np.tanh(cand)
    h = sigmoid(o) * np.tanh(c)
    frame = dense(p['cell']['output'], h)
    frames.append(frame)
  return np.stack(frames, axis=1)


def reference_loss(p, batch, tables, scale=3.0, epsilon=1e-5):
  """L of eq. 12 and its terms, by loops over videos."""
  v = np.asarray(batch['frames'])
  ids = np.asarray(tables['anchor_indices'])[batch['index']]
  nearest = np.asarray(tables['anchors'])[ids]
  n = dense(p['neighborhood'], nearest.reshape(B, -1))  # eq. 11
  h, memory, _ = encoder(p['encoder'], v, n, scale, epsilon)
  t = dense(p['hash_layer'], h)  # eq. 10
  b = np.where(t >= 0, 1.0, -1.0)  # eq. 2
  l_s = 0.0
  for i in range(B):
    for j in range(B):
      s = 1 if set(ids[i]) & set(ids[j]) else -1
      l_s += (s - t[i] @ t[j] / K) ** 2 / B**2
    l_s += ((b[i] - t[i]) ** 2).sum() / (K * B)  # eq. 15
  rebuilt = decoder(p['decoder'], dense(p['first_frame'], b))
  l_vr = ((v - rebuilt) ** 2).sum() / (L * M * B)  # eq. 16
  n_rebuilt = dense(p['reconstruct_neighborhood'], memory)
  l_nr = ((n - n_rebuilt) ** 2).sum() / (B * WIDTH)  # eq. 17
  loss = 0.1 * l_s + 0.8 * l_vr + 0.1 * l_nr  # eq. 12
  return loss, {'similarity': l_s, 'visual': l_vr, 'neighborhood': l_nr}


def test_loss_and_terms_equal_the_paper(problem):
  method, params, collections, batch, tables = problem
  loss, (terms, _) = method.loss(
    params, collections, batch, tables, jax.random.key(0), None
  )
  expected, expected_terms = reference_loss(params, batch, tables)
  np.testing.assert_allclose(loss, expected, rtol=1e-10)
  for name, value in expected_terms.items():
    np.testing.assert_allclose(terms[name], value, rtol=1e-10)


def test_gradient_equals_finite_differences_of_the_paper(problem):
  """In the decoder's output, behind the sign, where all is smooth."""
  method, params, collections, batch, tables = problem
  gradient = jax.grad(
    lambda p: method.loss(
      p, collections, batch, tables, jax.random.key(0), None
    )[0]
  )(params)
  for path in (
    ('decoder', 'cell', 'output', 'kernel'),
    ('decoder', 'cell', 'lstm', 'gates', 'recurrent_kernel'),
    ('encoder', 'cell', 'attention', 'value', 'kernel'),
  ):
    found = gradient
    for name in path:
      found = found[name]
    if path[0] == 'encoder':
      assert np.abs(found).max() > 0
      continue
    for entry in ((0, 0), (3, 2)):
      shift = jax.tree.map(np.array, params)
      node = shift
      for name in path:
        node = node[name]
      values = []
      for step in (1e-6, -2e-6):
        node[entry] += step
        values.append(reference_loss(shift, batch, tables)[0])
      np.testing.assert_allclose(
        found[entry], (values[0] - values[1]) / 2e-6, rtol=1e-5, atol=1e-9
      )


def test_encoding_uses_debiased_running_statistics(problem):
  method, params, collections, batch, tables = problem
  _, (_, updated) = method.loss(
    params, collections, batch, tables, jax.random.key(0), None
  )
  nearest = tables['anchors'][tables['anchor_indices'][batch['index']]]
  variables = method.inference_variables(params, updated)
  relaxed = method.relaxed_code(variables, batch['frames'], nearest)
  n = dense(params['neighborhood'], np.asarray(nearest).reshape(B, -1))
  _, _, seen = encoder(params['encoder'], batch['frames'], n, 3.0, 1e-5)
  h, _, _ = encoder(
    params['encoder'], batch['frames'], n, 3.0, 1e-5, list(zip(*seen))
  )
  # After one step the debiased average is that step's batch statistics.
  np.testing.assert_allclose(relaxed, dense(params['hash_layer'], h), rtol=1e-9)


def test_statistics_average_with_the_momentum(problem):
  method, params, collections, batch, tables = problem
  frames = [batch['frames'], 3 * batch['frames'] + 1]
  means = []
  for v in frames:
    _, (_, one) = method.loss(
      params, collections, {**batch, 'frames': v}, tables, jax.random.key(0),
      None,
    )  # fmt: skip
    stats = one['batch_stats']['encoder']['norm']
    means.append(stats['mean'] / stats['weight'])
  state = collections
  for v in frames:
    _, (_, state) = method.loss(
      params, state, {**batch, 'frames': v}, tables, jax.random.key(0), None
    )
  stats = state['batch_stats']['encoder']['norm']
  expected = (0.99 * 0.01 * means[0] + 0.01 * means[1]) / (0.99 * 0.01 + 0.01)
  np.testing.assert_allclose(
    stats['mean'] / stats['weight'], expected, rtol=1e-9
  )


def test_attention_weights_sum_to_one(problem):
  """Equal value rows come back unchanged, whatever the weights are."""
  from nph_jax.models.memory_attention import MemoryAttention

  module = MemoryAttention(WIDTH, 4.0)
  m = np.random.default_rng(0).normal(size=(B, WIDTH))
  variables = module.init(jax.random.key(0), m, m)
  value = m @ variables['params']['value']['kernel']
  np.testing.assert_allclose(module.apply(variables, m, m), value, rtol=1e-10)


@pytest.mark.parametrize('heads', [1, 3])
def test_heads_split_the_width(heads):
  from nph_jax.models.memory_attention import MemoryAttention

  module = MemoryAttention(WIDTH, 4.0, heads)
  rng = np.random.default_rng(0)
  m, v = rng.normal(size=(2, B, WIDTH))
  variables = module.init(jax.random.key(0), m, v)
  kernels = variables['params']
  size = WIDTH // heads
  parts = []
  for head in range(heads):
    columns = slice(head * size, (head + 1) * size)
    part = {k: {'kernel': w['kernel'][:, columns]} for k, w in kernels.items()}
    parts.append(attention(part, m, v, 4.0))
  np.testing.assert_allclose(
    module.apply(variables, m, v), np.concatenate(parts, axis=1), rtol=1e-10
  )


def test_residual_adds_the_memory():
  from nph_jax.models.memory_attention import MemoryAttention

  plain = MemoryAttention(WIDTH, 4.0)
  m, v = np.random.default_rng(0).normal(size=(2, B, WIDTH))
  variables = plain.init(jax.random.key(0), m, v)
  residual = MemoryAttention(WIDTH, 4.0, residual=True)
  np.testing.assert_allclose(
    residual.apply(variables, m, v), m + plain.apply(variables, m, v)
  )
