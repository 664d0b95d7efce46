"""Bundles of the ablations: with a neighbourhood where codes need one."""

import ablation_cases as cases
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from nph_jax.export import bundle
from nph_jax.models.autoencoder import Autoencoder


def exported(name):
  """The bundle, its frames, and the codes that the modules make of them."""
  method, params, collections, batch, _ = cases.problem(name)
  as_float32 = lambda x: jnp.asarray(x, jnp.float32)  # noqa: E731
  variables = jax.tree.map(
    as_float32, method.inference_variables(params, collections)
  )
  frames = as_float32(batch['frames'].astype(np.float16))
  neighborhood = None
  if method.encodes_neighborhood:
    autoencoder = Autoencoder(cases.D, cases.M, cases.L)
    init = lambda key: (autoencoder.init(key, frames)['params'], {})  # noqa: E731
    weights = jax.tree.map(
      as_float32, cases.random_state(init, jax.random.key(0))[0]
    )
    anchors = cases.neighborhood_tables(jnp.float32)['anchors']
    neighborhood = bundle.Neighborhood(autoencoder, weights, anchors, cases.A)

  @jax.jit
  def expected():
    nearest = None
    if neighborhood:
      nearest, _ = neighborhood.nearest(neighborhood.parameters(), frames)
    return method.relaxed_code(variables, frames, nearest)

  made = bundle.build(method, variables, neighborhood, 4, {'method': name})
  return made, np.asarray(frames), expected


@pytest.mark.parametrize(
  'name, neighborhood',
  [
    ('selfatt_ls', set()),
    ('neibatt', {'anchors', 'autoencoder'}),
    ('nph_minus', {'anchors', 'autoencoder'}),
  ],
)
def test_exports_what_its_codes_need(name, neighborhood):
  parts = {path.partition('/')[0] for path in exported(name)[0].parameters}
  assert parts == {'method'} | neighborhood


@pytest.mark.parametrize('name', ['fullcnn', 'selfatt', 'nph_hierarchical'])
def test_exported_codes_are_the_models(name):
  made, frames, expected = exported(name)
  codes, relaxed = made.load().encode_relaxed(frames)
  np.testing.assert_allclose(relaxed, expected(), rtol=1e-4, atol=1e-5)
  np.testing.assert_array_equal(codes, np.packbits(relaxed >= 0, axis=1))
