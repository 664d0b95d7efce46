"""The sign, its gradient and the packing."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from nph_jax.models import hashing
from nph_jax.retrieval import hamming

T = jnp.array([-1.5, -1.0, -0.3, -0.0, 0.0, 0.3, 1.0, 1.5])


def test_sign_of_zero_is_plus_one():
  expected = [-1, -1, -1, 1, 1, 1, 1, 1]
  np.testing.assert_array_equal(hashing.sign_ste(T), expected)


@pytest.mark.parametrize('transform', [lambda f: f, jax.jit])
def test_gradient_is_one_inside_the_window_and_at_its_edge(transform):
  gradient = transform(jax.grad(lambda t: (hashing.sign_ste(t) * 3).sum()))(T)
  np.testing.assert_array_equal(gradient, [0, 3, 3, 3, 3, 3, 3, 0])


def test_window_can_be_wider():
  gradient = jax.grad(lambda t: hashing.sign_ste(t, 2.0).sum())(T)
  np.testing.assert_array_equal(gradient, np.ones(8))


def test_packing_is_what_retrieval_unpacks():
  t = np.random.default_rng(0).normal(size=(5, 24)).astype(np.float32)
  t[0, 0] = 0
  found = hamming.unpack_codes(np.asarray(hashing.pack_bits(t)))
  np.testing.assert_array_equal(found, np.where(t >= 0, 1, -1))
