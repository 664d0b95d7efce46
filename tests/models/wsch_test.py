"""WSCH's layers, code, losses and rounds against float64 NumPy."""

import basics
import jax
import jax.numpy as jnp
import methods
import numpy as np
import pytest
import transformer_reference as reference

from nph_jax.models import masked_views, wsch

pytestmark = pytest.mark.usefixtures('float64')
B, M, L, K, WIDTH, N = 4, 7, 6, 8, 8, 40
HEADS, STATE, ATTENTION_HEADS = 16, 64, 4
FIRST, MASKED = 5, 4  # of seven frames, at .8 and .6
INDEX = np.array([3, 17, 8, 29])
KEY = jax.random.key(5)


def make(**fields):
  return methods.make(
    'wsch', K, M, L, hidden_width=WIDTH, first_ratio=0.8, **fields
  )


def state_space(p, t):
  """Of one video's rows t [V, H], as the recurrence that it is."""
  normed = t / np.sqrt((t**2).mean(axis=1, keepdims=True) + 1e-5)
  both = basics.dense(p['Dense_0'], normed * p['RMSNorm_0']['scale'])
  inner = both.shape[1] // 2
  c, gate = both[:, :inner], both[:, inner:]
  kernel = p['PairedConvolution_0']['kernel'].reshape(4, 2, inner // 2, 2)
  convolved = np.zeros_like(c)
  for now in range(len(c)):
    for back in range(min(4, now + 1)):
      for out in range(inner):
        pair = out // 2
        for i in range(2):
          weight = kernel[3 - back, i, pair, out % 2]
          convolved[now, out] += weight * c[now - back, 2 * pair + i]
  rest = basics.dense(p['Dense_1'], convolved)
  step = np.log1p(np.exp(rest[:, :HEADS] + p['step_bias']))
  b, read = rest[:, HEADS : HEADS + STATE], rest[:, HEADS + STATE :]
  width = inner // HEADS
  y = np.zeros_like(c)
  for head in range(HEADS):
    part = slice(head * width, (head + 1) * width)
    state = np.zeros((STATE, width))
    a = -np.exp(p['log_a'][head])
    for now in range(len(c)):
      dt = step[now, head]
      state = np.exp(a * dt) * state
      state += dt * np.outer(b[now], convolved[now, part])
      y[now, part] = read[now] @ state + p['skip'][head] * convolved[now, part]
  y = y * gate / (1 + np.exp(-gate))
  return t + basics.dense(p['Dense_2'], y)


def frame_codes(p, frames):
  normed = reference.layer_norm(p['frame_norm'], frames, 1e-5)
  z = state_space(p['state_space'], basics.dense(p['embed'], normed))
  z = z + reference.attention(
    p['attention'],
    reference.layer_norm(p['attention_norm'], z, 1e-5),
    ATTENTION_HEADS,
  )
  values = basics.dense(p['to_bits'], z)
  return basics.sign(reference.layer_norm(p['hash_layer'], values, 1e-5))


def predictions(p, signs, count):
  """[count, L], each from a mask token of its own."""
  asked = np.tile(p['decode_mask']['value'], (count, 1))
  z = basics.dense(p['decode_code'], np.concatenate([signs, asked]))
  z = z + reference.attention(
    p['decode_attention'],
    reference.layer_norm(p['decode_norm'], z, 1e-5),
    ATTENTION_HEADS,
  )
  return basics.dense(p['decode_frames'], z[len(signs) :])


def cluster_loss(codes, centres):
  total = 0.0
  for h in codes:
    cosines = basics.unit(h) @ basics.unit(centres).T / 0.2
    total -= np.log(basics.softmax(cosines).max(axis=1)).mean()
  return total


@pytest.mark.parametrize(
  'kind', [wsch.RECONSTRUCTION, wsch.CLUSTERS, wsch.CONTRAST]
)
def test_loss_of_each_kind_of_epoch_is_its_definition(kind):
  method = make(weights__clusters=0.3, weights__contrast=0.7)
  draw = np.random.default_rng(7)
  centres = basics.sign(draw.normal(size=(12, K)))
  tables = {'centres': jnp.asarray(centres)}
  params, _ = basics.state(method.init, KEY, tables)
  rounds = {'centres': centres, 'kind': np.int32(kind)}
  frames = draw.normal(size=(B, M, L))
  run = jax.jit(lambda *a: method.loss(*a, {}, KEY, None))
  loss, (terms, _) = run(
    params, {wsch.NAME: rounds}, {'frames': frames, 'index': INDEX}
  )
  count = FIRST if kind == wsch.RECONSTRUCTION else MASKED
  views = masked_views.draw(KEY, INDEX, M, count)
  codes, expected = [], 0.0
  for visible, masked in zip(np.array(views.visible), np.array(views.masked)):
    signs = [frame_codes(params, v[s]) for v, s in zip(frames, visible)]
    codes.append(np.array([s.mean(axis=0) for s in signs]))
    rebuilt = np.array([predictions(params, s, count) for s in signs])
    targets = np.array([v[m] for v, m in zip(frames, masked)])
    cosines = basics.unit(rebuilt) * basics.unit(targets)
    expected += 1 - cosines.sum(axis=-1).mean()
  np.testing.assert_allclose(terms['reconstruction'], expected, rtol=1e-8)
  if kind == wsch.CLUSTERS:
    expected += 0.3 * cluster_loss(codes, centres)
  if kind == wsch.CONTRAST:
    expected += 0.7 * reference.debiased_contrast(*codes, 0.1, 0.5)
  np.testing.assert_allclose(loss, expected, rtol=1e-8)
  variables = method.inference_variables(params, {wsch.NAME: rounds})
  assert set(variables) == {'params'}
  found = jax.jit(method.relaxed_code)(variables, frames, None)
  whole = [frame_codes(params, v).mean(axis=0) for v in frames]
  np.testing.assert_allclose(found, whole, rtol=1e-9)


def test_epochs_follow_each_other_in_their_order():
  method = make(first_epochs=2)
  codes = np.sign(np.random.default_rng(0).normal(size=(N, 2, K)))
  shape = method.table_shapes(N)['centres'].shape
  collections = {wsch.NAME: {'centres': np.zeros(shape), 'kind': np.int32(0)}}
  kinds, asked = [], []

  def survey():
    asked.append(len(kinds))
    return codes

  for epoch in range(6):
    before = collections[wsch.NAME]['centres']
    collections = method.begin_epoch(collections, epoch, survey, KEY)
    kinds.append(int(collections[wsch.NAME]['kind']))
    centres = collections[wsch.NAME]['centres']
    assert centres.shape == shape
    if epoch in asked:
      assert set(np.unique(centres)) == {-1, 1}
    else:
      np.testing.assert_array_equal(centres, before)
  assert kinds == [0, 0, 1, 2, 1, 2]
  assert asked == [2, 4]


def test_the_survey_is_of_both_views_of_each_video():
  method = make()
  tables = {'centres': jnp.zeros(method.table_shapes(N)['centres'].shape)}
  params, collections = basics.state(method.init, KEY, tables)
  frames = np.random.default_rng(0).normal(size=(B, M, L))
  batch = {'frames': frames, 'index': INDEX}
  found = jax.jit(method.survey)(params, collections, batch, KEY)
  visible = np.array(masked_views.draw(KEY, INDEX, M, FIRST).visible)
  for video in range(B):
    for view in range(2):
      signs = frame_codes(params, frames[video][visible[view, video]])
      expected = basics.sign(signs.mean(axis=0))
      np.testing.assert_array_equal(found[video, view], expected)
