"""BTH's and DKPH's code, masks, pairs and loss against float64 NumPy."""

import basics
import jax
import jax.numpy as jnp
import methods
import numpy as np
import pytest
import transformer_reference as reference

from nph_jax.models import bidirectional

B, M, L, K, WIDTH, N, D = 6, 5, 7, 8, 10, 40, 4
INDEX = np.array([3, 17, 8, 29, 0, 11])
KEY = jax.random.key(12)  # with a frame in place of another


def tables():
  draw = np.random.default_rng(3)
  indices = np.stack([draw.permutation(12)[:5] for _ in range(N)])
  return {
    'anchors': jnp.asarray(draw.normal(size=(12, D))),
    'anchor_indices': jnp.asarray(indices, jnp.int32),
  }


@pytest.fixture(params=['bth', 'dkph'])
def problem(request, float64):
  method = methods.make(
    request.param, K, M, L, hidden_width=WIDTH, dropout_rate=0.0
  )
  found = tables()
  params, stats = basics.state(method.init, KEY, found)
  assert stats == {}
  frames = np.random.default_rng(0).normal(size=(B, M, L))
  return (
    request.param,
    method,
    params,
    {'frames': frames, 'index': INDEX},
    found,
  )


def norm(p, x):
  centred = x - x.mean(axis=-1, keepdims=True)
  deviation = x.std(axis=-1, ddof=1, keepdims=True)
  return p['scale'] * centred / (deviation + 1e-6) + p['bias']


def gelu(x):
  return x * (1 + np.tanh(np.sqrt(2 / np.pi) * (x + 0.044715 * x**3))) / 2


def encode(p, frames):
  """E [M, H] of one video's frames as the network sees them."""
  e = basics.dense(p['Dense_0'], frames) + reference.sine_table(M, WIDTH)
  e = e + reference.attention(p['Attention_0'], norm(p['UnbiasedNorm_0'], e), 1)
  inner = gelu(basics.dense(p['Dense_1'], norm(p['UnbiasedNorm_1'], e)))
  return e + basics.dense(p['Dense_2'], inner)


def signs_of(params, encoded):
  return basics.sign(basics.dense(params['hash_layer'], encoded))


def masked(frames, masks):
  seen = frames.copy()
  for i, t in np.argwhere(masks.other):
    seen[i, t] = frames[masks.video[i, t], masks.frame[i, t]]
  seen[np.asarray(masks.zero)] = 0
  return seen


def whole_code(params, encoded):
  """DKPH's t [B, K]."""
  return basics.dense(params['hash_layer'], encoded.reshape(B, -1))


def test_code_is_the_mean_of_the_frames_signs_or_of_all_at_once(problem):
  name, method, params, batch, _ = problem
  variables = method.inference_variables(params, {})
  assert set(variables['params']) == {'encoder', 'hash_layer'}
  found = jax.jit(method.relaxed_code)(variables, batch['frames'], None)
  encoded = np.array([encode(params['encoder'], v) for v in batch['frames']])
  if name == 'dkph':
    expected = whole_code(params, encoded)
  else:
    expected = signs_of(params, encoded).mean(axis=1)
  np.testing.assert_allclose(found, expected, rtol=1e-9)


def test_loss_is_the_definition_of_it(problem):
  name, method, params, batch, found = problem
  run = jax.jit(lambda *a: method.loss(*a, KEY, None))
  loss, (terms, _) = run(params, {}, batch, found)
  mask_key, _, pair_key = jax.random.split(KEY, 3)
  masks = bidirectional.draw_masks(mask_key, INDEX, M, B)
  assert np.asarray(masks.zero).any() and np.asarray(masks.other).any()
  frames = batch['frames']
  encoded = np.array(
    [encode(params['encoder'], v) for v in masked(frames, masks)]
  )
  if name == 'dkph':
    h = basics.sign(whole_code(params, encoded))
    read = h[:, None] + basics.dense(params['decode_stream'], encoded)
  else:
    read = signs_of(params, encoded)
    h = read.mean(axis=1)
  rebuilt = basics.dense(params['decode_frames'], read)
  anchor = basics.dense(params['decode_anchor'], encoded.mean(axis=1))
  n = found['anchors'][found['anchor_indices'][INDEX, 0]]
  partners = bidirectional.draw_partners(
    pair_key, INDEX, found['anchor_indices'], None
  )
  pair = np.mean(
    [(s - h[i] @ h[j] / K) ** 2 for i, (j, s, _) in enumerate(zip(*partners))]
  )
  weights = {'bth': (0.92, 0.08, 0.8), 'dkph': (1.0, 0.11, 0.9)}[name]
  anchor_loss = 2 * ((anchor - n) ** 2).mean()
  if name == 'dkph':
    for i, (j, s, _) in enumerate(zip(*partners)):
      w = float(s < 0)
      near, far = (np.linalg.norm(anchor[i] - w * x) for x in (n[i], n[j]))
      anchor_loss += 0.1 * max(near - far + 0.5, 0) / B
  terms_of = ((rebuilt - frames) ** 2).mean(), pair, anchor_loss
  expected = np.dot(weights, terms_of)
  np.testing.assert_allclose(terms['similarity'], pair, rtol=1e-9)
  np.testing.assert_allclose(loss, expected, rtol=1e-9)


def test_no_map_to_anchors_of_the_encoder_s_width():
  method = methods.make('bth', K, M, L, hidden_width=D)
  params, _ = jax.eval_shape(method.init, KEY, tables())
  assert 'decode_anchor' not in params


def test_masks_are_as_frequent_as_they_should_be():
  masks = bidirectional.draw_masks(KEY, np.arange(4000), M, 9)
  assert abs(np.mean(masks.zero) - 0.12) < 0.01
  assert abs(np.mean(masks.other) - 0.015) < 0.004
  assert not (np.asarray(masks.zero) & np.asarray(masks.other)).any()
  assert set(np.unique(masks.video)) == set(range(9))
  assert set(np.unique(masks.frame)) == set(range(M))
  alone = bidirectional.draw_masks(KEY, np.array([77]), M, 9)
  np.testing.assert_array_equal(alone.zero[0], masks.zero[77])


def test_partners_are_similar_or_at_middle_distance():
  indices = np.asarray(tables()['anchor_indices'])
  index = np.random.default_rng(0).permutation(N)[:20]
  share = lambda i, j, n: bool(set(indices[i, :n]) & set(indices[j, :n]))  # noqa: E731
  kinds = []
  for number in range(30):
    key = jax.random.fold_in(KEY, number)
    drawn = bidirectional.draw_partners(key, index, indices, None)
    for row, (place, similarity, weight) in enumerate(zip(*drawn)):
      i, j = index[row], index[place]
      others = index[index != i]
      similar = [x for x in others if share(i, x, 3)]
      middle = [x for x in others if share(i, x, 5) and not share(i, x, 4)]
      unlike = middle or [x for x in others if not share(i, x, 5)]
      assert weight == bool(similar or unlike)
      if weight:
        assert j in (similar if similarity > 0 else unlike)
      if similar and unlike:
        kinds.append(float(similarity))
  assert len(kinds) > 200 and abs(np.mean(kinds)) < 0.15
