"""DH against float64 NumPy."""

import basics
import jax
import numpy as np
import pytest
import shallow_data

from nph_jax import errors
from nph_jax.models import dh, linear_code

N, K, L = 90, 8, 60


@pytest.fixture(scope='module')
def videos():
  return shallow_data.clusters(N, L)


@pytest.fixture(scope='module')
def method():
  return shallow_data.build(dh.DeepHashing.build, K, L)


@pytest.fixture(scope='module')
def tables(method, videos):
  return method.fit_tables(shallow_data.features(videos), jax.random.key(0))


def moved(params, seed=0):
  """The parameters off their start, where many terms are zero."""
  rng = np.random.default_rng(seed)
  return jax.tree.map(
    lambda x: np.asarray(x + 0.1 * rng.standard_normal(x.shape), np.float32),
    params,
  )


def outputs(params, videos, mean, scale):
  h = (videos.astype(np.float64) - mean) / scale
  for m in range(3):
    layer = params[f'layer_{m}']
    h = np.tanh(h @ layer['kernel'].astype(float) + layer['bias'])
  return h


def objective(params, h, binary):
  """J as published, over the videos of h [N, K]."""
  number = len(h)
  value = np.square(binary - h).sum() / 2
  value -= 100 / (2 * number) * np.trace(h @ h.T)
  for layer in params.values():
    w = layer['kernel'].T.astype(float)
    value += 0.001 / 2 * np.square(w @ w.T - np.eye(len(w))).sum()
    value += 0.001 / 2 * (np.square(w).sum() + np.square(layer['bias']).sum())
  return value


def statistics(videos):
  """The mean [L], and the deviation that makes the first layer's variance 1."""
  centred = videos - videos.mean(axis=0, dtype=np.float64)
  variances = np.square(np.linalg.svd(centred, compute_uv=False)) / len(videos)
  return videos.mean(axis=0, dtype=np.float64), np.sqrt(variances[:48].mean())


def test_loss_over_all_videos_is_the_objective_for_each(method, videos, tables):
  params, collections = method.init(jax.random.key(0), tables)
  params = moved(params)
  batch = {'frames': shallow_data.as_frames(videos), 'index': np.arange(N)}
  loss, (terms, _) = method.loss(params, collections, batch, tables, None, None)
  h = outputs(params, videos, *statistics(videos))
  expected = objective(params, h, np.where(h >= 0, 1, -1)) / N
  np.testing.assert_allclose(loss, expected, rtol=1e-5)
  np.testing.assert_allclose(sum(terms.values()), loss, rtol=1e-6)


def test_gradient_takes_the_signs_as_constants(method, videos, tables):
  params, collections = method.init(jax.random.key(0), tables)
  params = moved(params)
  batch = {'frames': shallow_data.as_frames(videos), 'index': np.arange(N)}
  gradient = jax.grad(method.loss, has_aux=True)(
    params, collections, batch, tables, None, None
  )[0]
  mean, scale = statistics(videos)
  h = outputs(params, videos, mean, scale)
  binary = np.where(h >= 0, 1, -1)

  def value(at):
    return objective(at, outputs(at, videos, mean, scale), binary) / N

  entries = ('layer_0/kernel', (3, 5)), ('layer_2/kernel', (1, 1))
  basics.assert_slopes(
    gradient, value, params, entries, step=1e-5, rtol=1e-3, atol=1e-6
  )


def test_begins_at_the_signs_of_the_first_principal_components(
  method, videos, tables
):
  variables = method.inference_variables(
    *method.init(jax.random.key(0), tables)
  )
  frames = shallow_data.as_frames(videos)
  relaxed = np.asarray(method.relaxed_code(variables, frames, None))
  features = shallow_data.features(videos)
  directions, _ = linear_code.principal_directions(features, K)
  components = (videos - videos.mean(axis=0)) @ directions
  np.testing.assert_array_equal(relaxed >= 0, components >= 0)


def test_relaxed_code_is_the_last_layer(method, videos, tables):
  params, collections = method.init(jax.random.key(0), tables)
  params = moved(params)
  variables = method.inference_variables(params, collections)
  frames = shallow_data.as_frames(videos)
  np.testing.assert_allclose(
    method.relaxed_code(variables, frames, None),
    outputs(params, videos, *statistics(videos)),
    atol=1e-5,
  )


@pytest.mark.parametrize(
  ('num_bits', 'width', 'expected'),
  [
    (16, 512, (60, 30, 16)),
    (32, 512, (80, 50, 32)),
    (64, 512, (100, 80, 64)),
    (8, 512, (48, 24, 8)),
    (128, 512, (168, 144, 128)),
    (64, 81, (81, 80, 64)),
    (16, 16, (16, 16, 16)),
  ],
)
def test_widths_are_the_published_ones_or_follow_the_bits(
  num_bits, width, expected
):
  assert (
    shallow_data.build(dh.DeepHashing.build, num_bits, width).widths == expected
  )


def test_more_bits_than_directions_is_an_error():
  with pytest.raises(errors.UserError, match='config.num_bits is 16, but'):
    shallow_data.build(dh.DeepHashing.build, num_bits=16)
