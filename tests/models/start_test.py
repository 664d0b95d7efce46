"""A method begun at a closed form; y from principal components."""

import functools

import jax
import methods
import moments_reference as reference
import numpy as np
import pytest

from nph_jax import errors
from nph_jax.models import (
  hashing,
  itq,
  log_covariance,
  untrained_features,
)
from nph_jax.stages import tracing

N, M, L, K = 40, 3, 12, 16
RNG = np.random.default_rng(0)
FRAMES = (RNG.normal(size=(N, M, L)) * np.linspace(3, 0.1, L) + 1).astype(
  np.float32
)
TABLES = {
  'anchors': RNG.normal(size=(6, 5)).astype(np.float32),
  'anchor_indices': RNG.integers(0, 6, (N, 2)).astype(np.int32),
}
CLOSED = 'itq_moments'
# What the NumPy reference has: that start, and frames as they are.
OF_MOMENTS = {'start': CLOSED, 'frame_length': 0.0}


def build(num_bits=K, name='nph_tuned', **options):
  return methods.make(
    name, num_bits, M, L, memory_width=8, hidden_width=8, **options
  )


def start(method):
  """Tables, parameters and collections before the first step."""
  fitted = method.fit_tables(methods.features(FRAMES), jax.random.key(1))
  tables = {**TABLES, **fitted}
  return tables, *jax.jit(method.init)(jax.random.key(2), tables)


def code(method, variables, frames, nearest=None):
  return jax.jit(method.relaxed_code)(variables, frames, nearest)


def loss_of(method, *arguments):
  """The loss, its terms and the collections; axis_name is the last argument."""
  loss = lambda *a: method.loss(*a, None)  # noqa: E731
  return jax.jit(loss)(*arguments)


@pytest.mark.parametrize('name', ['nph_tuned', 'plain', 'jtae', 'ssth', 'ssvh'])
def test_any_deep_method_starts_as_the_closed_form_of_mean_square_one(name):
  method = build(name=name, start=CLOSED)
  tables, params, collections = start(method)
  variables = method.inference_variables(params, collections)
  nearest = TABLES['anchors'][TABLES['anchor_indices']]
  found = code(method, variables, FRAMES, nearest)
  closed = build(name=CLOSED)
  _, shallow, _ = start(closed)
  expected = code(closed, shallow, FRAMES)
  scale = np.sqrt(np.mean(np.square(expected)))
  np.testing.assert_allclose(found, expected / scale, rtol=1e-3, atol=1e-4)


@pytest.mark.parametrize(
  'name',
  [
    'bth',
    *(
      pytest.param(name, marks=pytest.mark.slow)
      for name in ('autossvh', 's5vh', 'wsch')
    ),
  ],
)
def test_codes_of_frames_start_as_the_closed_form_s(name):
  """Their t is the mean of the frames' signs, all of them those of t_0."""
  method = methods.make(
    name, K, M, L, hidden_width=8, start=CLOSED, **methods.SMALL
  )
  tracing.check(method, 8, N)
  tables, params, collections = start(method)
  variables = method.inference_variables(params, collections)
  found = code(method, variables, FRAMES)
  _, shallow, _ = start(build(name=CLOSED))
  closed = code(build(name=CLOSED), shallow, FRAMES)
  sure = np.abs(closed) > 1e-4 * np.abs(closed).max()
  np.testing.assert_array_equal(found[sure], np.sign(closed)[sure])

  batch, key = {'frames': FRAMES, 'index': np.arange(N)}, jax.random.key(3)
  if method.has_epochs:
    survey = jax.jit(method.survey)
    looked = lambda: np.asarray(survey(params, collections, batch, key))  # noqa: E731
    begun = method.begin_epoch(collections, 0, looked, key)
    assert jax.tree.map(np.shape, begun) == jax.tree.map(np.shape, collections)
    collections = begun
  run = jax.jit(jax.value_and_grad(method.loss, has_aux=True))
  (loss, (terms, after)), slope = run(
    params, collections, batch, tables, key, None
  )
  assert np.isfinite(loss) and terms['change'] == 0
  assert jax.tree.structure(after) == jax.tree.structure(collections)
  for part in ('hash_layer', hashing.START):
    assert any(np.any(x) for x in jax.tree.leaves(slope[part]))


@pytest.fixture(scope='module')
def from_scratch():
  """Function from videos to their vectors less the mean, and W R, in NumPy."""
  # Times in turn, from the start of each block that is read.
  frames = [
    block[row, row % M]
    for block in np.split(FRAMES, 2)
    for row in range(len(block))
  ]
  mean, axes = reference.directions(np.stack(frames))
  vectors = reference.vectors(FRAMES, mean, axes)
  first = itq.random_rotation(jax.random.key(1), K)  # what start() gives it
  projection = reference.itq(vectors, K, first)
  return (
    lambda videos: reference.vectors(videos, mean, axes) - vectors.mean(axis=0),
    projection,
  )


def unseen(count=9):
  videos = np.random.default_rng(7).normal(size=(count, M, L))
  return (videos * np.linspace(3, 0.1, L) + 1.5).astype(np.float32)


def test_t_of_itq_moments_is_that_of_numpy_from_scratch(from_scratch):
  centred, projection = from_scratch
  method = build(name='itq_moments')
  _, params, collections = start(method)
  variables = method.inference_variables(params, collections)
  for videos in (FRAMES, unseen()):
    found = code(method, variables, videos)
    expected = centred(videos) @ projection
    np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-4)


def test_t_of_nph_tuned_is_that_of_numpy_from_scratch(from_scratch):
  """The fixed map, the learned one and the hash layer; v~ from the module."""
  centred, projection = from_scratch
  method = build(**OF_MOMENTS)
  _, params, collections = start(method)
  draw = np.random.default_rng(4)
  trained = jax.tree.map(
    lambda x: (draw.normal(size=x.shape) / 5).astype(np.float32),
    {name: params[name] for name in (hashing.START, 'hash_layer')},
  )
  variables = method.inference_variables({**params, **trained}, collections)
  videos, rows = unseen(), TABLES['anchor_indices'][:9]
  nearest = TABLES['anchors'][rows]
  found = code(method, variables, videos, nearest)

  def encoded(module):
    neighborhood = module.neighborhood(nearest.reshape(len(nearest), -1))
    return module.encoder(videos, neighborhood, False).video

  own = variables['method']
  apply = method.method.module.apply
  video = jax.jit(lambda own: apply(own, method=encoded))(own)
  start_t = centred(FRAMES) @ projection
  scale = 1 / np.sqrt(np.mean(np.square(start_t)))
  learned, hash_layer = trained[hashing.START], trained['hash_layer']
  parts = (
    scale * centred(videos) @ projection,
    centred(videos) @ learned['kernel'] + learned['bias'],
    np.float64(video) @ hash_layer['kernel'] + hash_layer['bias'],
  )
  assert all(np.abs(part).max() > 0.1 for part in parts)  # none is silent
  np.testing.assert_allclose(found, sum(parts), rtol=1e-4, atol=1e-4)


def test_the_start_is_a_prior_worth_so_many_videos():
  """P / N mean (t - t_0)^2, t_0 the linear map at its start."""
  tables, params, collections = start(build(**OF_MOMENTS))
  batch = {'frames': FRAMES, 'index': np.arange(N)}
  args = batch, tables, jax.random.key(3)
  _, (terms, _) = loss_of(build(**OF_MOMENTS), params, collections, *args)
  assert terms['change'] == 0
  fitted = log_covariance.pooled_features(
    methods.features(FRAMES),
    {k: tables[f'start_{k}'] for k in log_covariance.TABLES},
  )
  vectors = np.concatenate(list(fitted.blocks())).astype(np.float64)
  centred = vectors - tables['start_mean']
  first = centred @ tables['start_projection']
  moved = jax.tree.map(lambda x: x + 0.1, params)
  # The same dropout and the batch's moments, so t itself comes from the module.
  method = build(start_videos=300.0, **OF_MOMENTS)
  (loss, (terms, _)), (plain, _) = (
    loss_of(m, moved, collections, *args)
    for m in (method, build(start_videos=0.0, **OF_MOMENTS))
  )
  dropout, _ = jax.random.split(args[2])
  learned = moved[hashing.START]
  offset = first + centred @ learned['kernel'] + learned['bias']
  begun = {'hash_layer': {'offset': offset.astype(np.float32), 'gain': 1.0}}
  own = {k: v for k, v in moved.items() if k != hashing.START}
  apply = functools.partial(
    method.method.module.apply, train=True, mutable=list(collections)
  )
  outputs, _ = jax.jit(apply)(
    {'params': own, **collections, hashing.START: begun},
    FRAMES,
    TABLES['anchors'][TABLES['anchor_indices']],
    rngs={'dropout': dropout},
  )
  expected = np.mean(np.square(outputs.relaxed_code - first))
  np.testing.assert_allclose(terms['change'], expected, rtol=1e-4)
  np.testing.assert_allclose(loss - plain, 300 / N * expected, rtol=1e-4)


def test_more_bits_than_directions_is_refused():
  with pytest.raises(errors.UserError, match='principal directions'):
    build(num_bits=92)  # 13 x 14 / 2 = 91


def test_a_prior_of_fewer_than_no_videos_is_refused():
  with pytest.raises(errors.UserError, match='start_videos is -1'):
    build(8, start_videos=-1.0)


@pytest.mark.parametrize('name', ['nph', 'dh', 'none'])
def test_a_start_that_is_no_closed_form_is_refused(name):
  with pytest.raises(errors.UserError, match='name a closed form'):
    build(8, start=name)


@pytest.mark.parametrize('kind', ['mean_frame', 'second_moments'])
def test_pooled_features_are_principal_components_at_unit_length(
  kind,
):
  module = untrained_features.UntrainedFeatures(kind, 5, M, L)
  method = untrained_features.UntrainedFeaturesMethod(module)
  tables = method.fit_tables(methods.features(FRAMES), jax.random.key(0))
  params, _ = method.init(jax.random.key(0), tables)
  y = module.apply({'params': params}, FRAMES[:7], method='features')
  means = FRAMES.mean(axis=1)
  if kind == 'second_moments':
    means = np.asarray(log_covariance.pool(FRAMES, tables))
  _, _, rows = np.linalg.svd(means - means.mean(axis=0))
  expected = (means[:7] - means.mean(axis=0)) @ rows[:5].T
  expected /= np.linalg.norm(expected, axis=1, keepdims=True)
  np.testing.assert_allclose(np.abs(y), np.abs(expected), atol=2e-3)
  # Without tables the shapes alone, as restoring a checkpoint wants them.
  shapes = jax.tree.map(np.shape, method.init(jax.random.key(0), {})[0])
  assert shapes == jax.tree.map(np.shape, params)
