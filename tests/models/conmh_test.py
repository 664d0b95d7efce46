"""ConMH's code and loss, and AutoSSVH's, against float64 NumPy."""

import basics
import jax
import jax.numpy as jnp
import methods
import numpy as np
import pytest
import transformer_reference as reference

from nph_jax import errors
from nph_jax.models import masked_views, p2set

B, M, L, K, WIDTH, N = 5, 7, 6, 8, 12, 40
HEADS, DECODER_HEADS, MASKED = 3, 2, 3
SIZES = {
  'hidden_width': WIDTH,
  'num_layers': 2,
  'num_heads': HEADS,
  'decoder_width': 10,
  'decoder_layers': 2,
  'decoder_heads': DECODER_HEADS,
}
INDEX = np.array([3, 17, 8, 29, 0])
KEY = jax.random.key(5)


def make(name='conmh', **fields):
  return methods.make(name, K, M, L, **SIZES, **fields)


@pytest.fixture(params=['conmh', 'autossvh'])
def problem(request, float64):
  method = make(request.param, positive_prior=0.05, weights__contrast=0.7)
  tables = {'unassigned': np.zeros(N, np.int32)} if method.has_epochs else {}
  params, collections = basics.state(method.init, jax.random.key(0), tables)
  frames = np.random.default_rng(0).normal(size=(B, M, L))
  return method, params, collections, {'frames': frames, 'index': INDEX}


def block(p, z):
  return reference.block(p, z, HEADS)


def decoder_block(p, z):
  return reference.block(p, z, DECODER_HEADS)


def test_code_is_the_mean_of_all_frames_signs(problem):
  method, params, collections, batch = problem
  variables = method.inference_variables(params, collections)
  assert set(variables) == {'params'}
  found = jax.jit(method.relaxed_code)(variables, batch['frames'], None)
  expected = reference.whole_codes(params, batch['frames'], block)
  np.testing.assert_allclose(found, expected, rtol=1e-9)
  assert len(np.unique(np.abs(found))) > 2  # the frames do not agree


def numpy_clusters():
  """Of some made-up codes, as the collection, and the same for float64."""
  draw = np.random.default_rng(2)
  found = {}
  for name, count in (('0', 4), ('1', 9)):
    found[name] = {
      'centres': basics.unit(draw.normal(size=(count, K))),
      'concentration': draw.uniform(0.1, 0.4, count),
      'own': draw.integers(0, count - 2, N).astype(np.int32),
    }
  return found


def p2set_loss(h, clusters):
  """With all centres but a row's own as the wrong answers."""
  per_row = []
  for row, video in zip(basics.unit(h), INDEX):
    own = clusters['own'][video]
    in_batch = clusters['own'][INDEX]
    logits = clusters['centres'] @ row / clusters['concentration']
    free = np.setdiff1d(np.arange(len(logits)), in_batch)[:B]
    wrong = [*in_batch[in_batch != own], *free]
    scores = np.exp(logits[[own, *wrong]])
    per_row.append(-np.log(scores[0] / scores.sum()))
  return np.mean(per_row)


def test_loss_is_the_definition_of_it(problem):
  method, params, collections, batch = problem
  if method.has_epochs:
    collections = {p2set.NAME: numpy_clusters()}
  run = jax.jit(lambda *a: method.loss(*a, {}, KEY, None))
  loss, (terms, after) = run(params, collections, batch)
  assert jax.tree.structure(after) == jax.tree.structure(collections)
  views = masked_views.draw(jax.random.split(KEY, 3)[0], INDEX, M, MASKED)
  codes, error = reference.of_views(
    params, batch['frames'], views, block, decoder_block
  )
  contrast = reference.debiased_contrast(*codes, 0.05, 0.5)
  np.testing.assert_allclose(terms['reconstruction'], error, rtol=1e-8)
  np.testing.assert_allclose(terms['contrast'], contrast, rtol=1e-8)
  expected = error + 0.7 * contrast
  if method.has_epochs:
    clusters = collections[p2set.NAME].values()
    p2 = np.mean([p2set_loss(h, c) for h in codes for c in clusters])
    np.testing.assert_allclose(terms['p2set'], p2, rtol=1e-6)
    expected += 0.2 * p2
  np.testing.assert_allclose(loss, expected, rtol=1e-8)


def test_views_part_a_video_s_frames_as_they_should():
  views = masked_views.draw(KEY, np.arange(50), M, MASKED)
  visible, masked = np.array(views.visible), np.array(views.masked)
  assert visible.shape == (2, 50, M - MASKED)
  together = np.sort(np.concatenate([visible, masked], axis=-1))
  assert (together == np.arange(M)).all()
  assert (np.diff(visible) > 0).all() and (np.diff(masked) > 0).all()
  # Of 7 frames two views of 4 share one; another video has other ones.
  shared = [len(np.intersect1d(*pair)) for pair in zip(*visible)]
  assert set(shared) == {1}
  assert len(np.unique(visible[0], axis=0)) > 10
  alone = masked_views.draw(KEY, np.array([31]), M, MASKED)
  np.testing.assert_array_equal(alone.visible[:, 0], visible[:, 31])


def test_frames_are_read_alike_whether_few_or_many_are_visible(float64):
  """Embedded before they are taken, or after; see MaskedAutoencoder."""
  method = make(mask_ratio=0.75)  # 2 of 7 visible, 4 in all
  params, _ = basics.state(method.init, jax.random.key(0), {})
  frames = jnp.asarray(np.random.default_rng(0).normal(size=(B, M, L)))
  few = masked_views.draw(KEY, INDEX, M, 5)
  doubled = masked_views.Views(*(np.tile(x, (2, 1, 1)) for x in few))
  apply = jax.jit(lambda v: method.module.apply({'params': params}, frames, v))
  found, twice = apply(few), apply(doubled)
  found, twice = (x.reconstruction.frames() for x in (found, twice))
  np.testing.assert_allclose(np.tile(found, (2, 1, 1)), twice, rtol=1e-9)


@pytest.mark.parametrize('ratio', [0.0, 0.1, 1.0, 2.0, -0.5])
def test_ratios_that_leave_nothing_are_refused(ratio):
  with pytest.raises(errors.UserError, match='mask_ratio'):
    make(mask_ratio=ratio)


def test_clusters_are_those_of_the_codes():
  draw = np.random.default_rng(0)
  kinds = draw.integers(0, 3, N)
  codes = draw.normal(size=(3, K))[kinds] + 0.01 * draw.normal(size=(N, K))
  assert p2set.num_centres((250, 500, 1000), N) == (2, 5, 10)
  assert p2set.num_centres((250, 500, 1000), 4000) == (250, 500, 1000)
  before = p2set.init((2, 3), np.zeros(N, np.int32), K)
  found = p2set.fit(before, codes, KEY)['1']
  own, centres = found['own'], found['centres']
  np.testing.assert_allclose(np.linalg.norm(centres, axis=1), 1, rtol=1e-6)
  # Three kinds, three clusters: two videos share one if they are of a kind.
  assert ((own[:, None] == own) == (kinds[:, None] == kinds)).all()
  unit = basics.unit(codes)
  means = np.array([unit[own == c].mean(axis=0) for c in range(3)])
  np.testing.assert_allclose(centres, basics.unit(means), atol=1e-5)
  sizes = np.bincount(own)
  spread = np.array([
    np.linalg.norm(unit[own == c] - means[c], axis=1).mean() for c in range(3)
  ]) / np.log(sizes + 10)  # fmt: skip
  spread = np.clip(spread, *np.percentile(spread, (10, 90)))
  np.testing.assert_allclose(
    found['concentration'], 0.2 * spread / spread.mean(), rtol=1e-3
  )
  assert jax.tree.map(np.shape, before) == jax.tree.map(
    np.shape, p2set.fit(before, codes, KEY)
  )


def test_a_cluster_of_one_video_is_as_wide_as_the_widest():
  # Two clusters of two videos, one of one, one of none.
  own, distances = np.array([0, 0, 1, 1, 2]), np.array([0.2, 0.4, 0.1, 0.1, 0])
  wide, narrow = 0.3 / np.log(12), 0.1 / np.log(12)
  spread = np.array([wide, narrow, wide, wide])
  spread = np.clip(spread, *np.percentile(spread, (10, 90)))
  np.testing.assert_allclose(
    p2set.concentration(distances, own, 4), 0.2 * spread / spread.mean(), 1e-6
  )


def test_clusters_come_after_the_warm_up_and_have_a_gradient():
  method = make('autossvh', cluster_warmup=3)
  clusters = p2set.init((2, 3), np.zeros(N, np.int32), K)
  collections = {p2set.NAME: clusters}
  codes = np.random.default_rng(0).normal(size=(N, K)).astype(np.float32)
  survey = lambda: codes  # noqa: E731
  early = method.begin_epoch(collections, 2, survey, KEY)
  later = method.begin_epoch(collections, 3, survey, KEY)
  views = codes[None, :B]
  value = lambda h, c: p2set.loss(h, INDEX, c[p2set.NAME], KEY, None)  # noqa: E731
  gradient = jax.grad(value)
  assert value(views, early) == 0 and not gradient(views, early).any()
  assert value(views, later) > 0 and gradient(views, later).any()
