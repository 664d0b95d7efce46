"""Batch normalisation of eq. 8, its gradient by differences in NumPy."""

import jax
import jax.numpy as jnp
import numpy as np

from nph_jax.models import normalization

EPSILON = 1e-3


def weighted(x, gamma, beta, weights):
  """A number that depends on all of BN(x), in NumPy."""
  normal = (x - x.mean(0)) / np.sqrt(x.var(0) + EPSILON)
  return np.sum(weights * np.sin(gamma * normal + beta))


def test_gradients_are_those_of_the_batch_s_own_moments():
  rng = np.random.default_rng(0)
  x, weights = rng.normal(2, 3, size=(2, 5, 3))
  arguments = [x, *rng.normal(size=(2, 3))]

  def ours(x, gamma, beta):
    moments = {'gamma': gamma, 'beta': beta}
    out, used = normalization.normalize_step(x, moments, EPSILON, True, None)
    return jnp.sum(weights * jnp.sin(out)) + 0 * jnp.sum(used[0])

  with jax.enable_x64(True):
    found = jax.grad(ours, (0, 1, 2))(*map(jnp.asarray, arguments))
  for number, gradient in enumerate(found):
    expected = np.empty_like(arguments[number])
    for place in np.ndindex(expected.shape):
      sides = []
      for step in (1e-6, -1e-6):
        moved = [np.array(a) for a in arguments]
        moved[number][place] += step
        sides.append(weighted(*moved, weights))
      expected[place] = (sides[0] - sides[1]) / 2e-6
    np.testing.assert_allclose(gradient, expected, rtol=1e-6, atol=1e-8)
