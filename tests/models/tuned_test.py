"""NPH begun at ITQ, and y from principal components."""

import jax
import numpy as np
import pytest

from nph_jax import configuration, errors
from nph_jax.data.pooled import PooledFeatures
from nph_jax.models import itq, pooled_features, registry

N, M, L, K = 40, 3, 24, 16
RNG = np.random.default_rng(0)
FRAMES = RNG.normal(size=(N, M, L)) * np.linspace(3, 0.1, L) + 1
TABLES = {
  'anchors': RNG.normal(size=(6, 5)).astype(np.float32),
  'anchor_indices': RNG.integers(0, 6, (N, 2)).astype(np.int32),
}


def features():
  means = FRAMES.mean(axis=1).astype(np.float32)
  return PooledFeatures(lambda: iter([means[:25], means[25:]]), N, L)


def build(num_bits=K):
  config = configuration.base()
  model = config.model.to_dict()
  model.update(memory_width=8, hidden_width=8)
  return registry.build(
    'nph_tuned',
    num_bits=num_bits,
    num_frames=M,
    frame_dim=L,
    model=model,
    loss=config.loss.to_dict(),
  )


def test_starts_as_itq_with_mean_square_one():
  method, key = build(), jax.random.key(1)
  fitted = method.fit_tables(features(), key)
  variables = method.inference_variables(
    *method.init(jax.random.key(2), {**TABLES, **fitted})
  )
  nearest = TABLES['anchors'][TABLES['anchor_indices']]
  frames = FRAMES.astype(np.float32)
  found = method.relaxed_code(variables, frames, nearest)
  shallow = itq.ITQ(K, M, L)
  tables = shallow.fit_tables(features(), key)
  expected = shallow.relaxed_code(shallow.init(key, tables)[0], frames, None)
  np.testing.assert_array_equal(found >= 0, expected >= 0)
  np.testing.assert_allclose(np.mean(np.square(found)), 1, rtol=1e-4)


def test_training_changes_both_parts():
  method = build()
  fitted = method.fit_tables(features(), jax.random.key(1))
  tables = {**TABLES, **fitted}
  params, collections = method.init(jax.random.key(2), tables)
  batch = {'frames': FRAMES.astype(np.float32), 'index': np.arange(N)}
  gradient, (terms, _) = jax.grad(method.loss, has_aux=True)(
    params, collections, batch, tables, jax.random.key(3), None
  )
  for name in ('linear_code', 'hash_layer'):
    assert np.abs(gradient[name]['kernel']).max() > 0
  assert set(terms) == {
    'similarity', 'quantization', 'visual', 'neighborhood',
  }  # fmt: skip


def test_more_bits_than_directions_is_refused():
  with pytest.raises(errors.UserError, match='principal directions'):
    build(num_bits=32)


def test_its_configuration_differs_where_it_says():
  config = configuration.base('nph_tuned')
  for name, value in configuration.TUNED.items():
    assert configuration.get(config, name) == value
  assert configuration.base().neighborhood.features == 'autoencoder'


def test_pooled_features_are_the_principal_components_at_unit_length():
  module = pooled_features.PrincipalComponents(5, M, L)
  method = pooled_features.PrincipalComponentsMethod(module)
  tables = method.fit_tables(features(), jax.random.key(0))
  params, _ = method.init(jax.random.key(0), tables)
  y = module.apply({'params': params}, FRAMES[:7], method='features')
  means = FRAMES.mean(axis=1)
  _, _, rows = np.linalg.svd(means - means.mean(axis=0))
  expected = (means[:7] - means.mean(axis=0)) @ rows[:5].T
  expected /= np.linalg.norm(expected, axis=1, keepdims=True)
  np.testing.assert_allclose(np.abs(y), np.abs(expected), atol=1e-4)
  # Without tables the shapes alone, as restoring a checkpoint wants them.
  shapes = jax.tree.map(np.shape, method.init(jax.random.key(0), {})[0])
  assert shapes == jax.tree.map(np.shape, params)
