"""The rearranged form against the literal scans: values and gradients."""

import basics
import jax
import jax.numpy as jnp
import methods
import numpy as np
import pytest

from nph_jax.models import precision, recurrence
from nph_jax.models.autoencoder import Autoencoder, AutoencoderMethod

B, M, L, K, WIDTH = 12, 4, 7, 8, 10
TABLES = {
  'anchors': np.random.default_rng(2).normal(size=(9, 5)),
  'anchor_indices': np.random.default_rng(3).integers(0, 9, (12, 3)),
}


def nph(literal, **fields):
  sizes = {'memory_width': WIDTH, 'hidden_width': WIDTH, 'literal': literal}
  return methods.make(
    'nph_paper', K, M, L, attention__scale=3.0, **sizes, **fields
  )


def autoencoder(literal, **fields):
  module = Autoencoder(WIDTH, M, L, literal=literal, **fields)
  return AutoencoderMethod(module)


def loss_and_gradient(method, params, collections, tables):
  batch = {
    'frames': np.random.default_rng(5).normal(size=(B, M, L)),
    'index': np.arange(B),
  }
  run = jax.jit(jax.value_and_grad(method.loss, has_aux=True), static_argnums=5)
  (loss, (_, after)), gradient = run(
    params, collections, batch, tables, jax.random.key(7), None
  )
  return loss, gradient, after


def assert_equal(build, fields):
  literal, fused = build(True, **fields), build(False, **fields)
  tables = {k: jnp.asarray(v) for k, v in TABLES.items()}
  state = *basics.state(literal.init, jax.random.key(0), tables), tables
  expected = loss_and_gradient(literal, *state)
  found = loss_and_gradient(fused, *state)
  for a, b in zip(jax.tree.leaves(found), jax.tree.leaves(expected)):
    scale = np.abs(b).max() + 1e-30
    np.testing.assert_allclose(a, b, rtol=0, atol=1e-10 * scale)


@pytest.mark.parametrize(
  'fields',
  [
    {},
    {
      'attention__num_heads': 2,
      'attention__residual': True,
      'mlp_layers': 3,
    },
    {'norm': {'momentum': 0.9, 'per_step': False, 'epsilon': 1e-3}},
  ],
  ids=str,
)
def test_nph(fields, float64):
  assert_equal(nph, fields)


@pytest.mark.parametrize('copy_cell', [True, False])
def test_autoencoder(copy_cell, float64):
  assert_equal(autoencoder, {'copy_cell': copy_cell})


@pytest.mark.parametrize('backend, unrolled', [('cpu', 1), ('gpu', 5)])
def test_recurrent_scan_differentiates_as_a_plain_scan(
  monkeypatch, backend, unrolled
):
  """On a GPU so many steps at a time; seven steps are not a multiple."""
  monkeypatch.setattr(recurrence, '_GPU_UNROLL', unrolled)
  monkeypatch.setattr(jax, 'default_backend', lambda: backend)
  rng = np.random.default_rng(0)
  with jax.enable_x64(True):
    weight = rng.normal(size=(3, 3))
    offsets = rng.normal(size=(7, 2, 3))
    start = rng.normal(size=(2, 3))

    def step(carry, x, linear):
      hidden = jnp.tanh(linear * x)
      return (hidden,), hidden * 2

    def by_helper(weight, start, offsets):
      carry, out = recurrence.recurrent_scan(
        step, 'float32', weight, (start,), offsets, jnp.arange(7.0)
      )
      return jnp.sum(out**2) + jnp.sum(carry[0])

    def plain(weight, hidden, offsets):
      total = 0.0
      for t in range(7):
        hidden = jnp.tanh((offsets[t] + hidden @ weight) * t)
        total += jnp.sum((hidden * 2) ** 2)
      return total + jnp.sum(hidden)

    arguments = (weight, start, offsets)
    assert f'unroll={unrolled}' in str(jax.make_jaxpr(by_helper)(*arguments))
    for found, expected in zip(
      jax.grad(by_helper, (0, 1, 2))(*arguments),
      jax.grad(plain, (0, 1, 2))(*arguments),
    ):
      np.testing.assert_allclose(found, expected, rtol=1e-10, atol=1e-12)


@pytest.mark.parametrize('transpose', [False, True])
@pytest.mark.parametrize('columns', [(40, 6), (300, 2)])
@pytest.mark.parametrize('kind', ['float32', 'bfloat16'])
def test_a_product_and_its_gradients_round_operands_only(
  kind, columns, transpose
):
  """Of a wide x or a narrow one, of which other sides are transposed."""
  width, out = columns
  rng = np.random.default_rng(0)
  x, w, g = (
    rng.normal(size=shape).astype(np.float32)
    for shape in ((2, 3, width), (width, out), (2, 3, out))
  )

  def product(x, w):
    return precision.matmul(x, w.T if transpose else w, kind, transpose)

  found, pullback = jax.vjp(product, x, w)
  dx, dw = pullback(jnp.asarray(g))
  x, w, g = (np.asarray(jnp.asarray(a, kind), np.float64) for a in (x, w, g))
  over_rows = x.reshape(6, width).T @ g.reshape(6, out)
  for value, expected in ((found, x @ w), (dx, g @ w.T), (dw, over_rows)):
    np.testing.assert_allclose(value, expected, rtol=1e-5, atol=1e-5)
    assert value.dtype == np.float32
