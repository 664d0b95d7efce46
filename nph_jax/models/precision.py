"""Matrix products in float32, or with bfloat16 operands and float32 sums."""

from __future__ import annotations

import jax
import jax.numpy as jnp

PRECISIONS = ('float32', 'bfloat16')


def matmul(x: jax.Array, w: jax.Array, precision: str) -> jax.Array:
  """x [..., N] @ w [N, P] as [..., P], of the dtype of x.

  With 'bfloat16' the operands are rounded, the sums are float32, in the
  products of the backward pass too (which differentiating a mixed product
  would run in float32).
  """
  if precision == 'float32':
    return x @ w
  rows = x.reshape(-1, x.shape[-1])
  return _mixed(rows, w).reshape(*x.shape[:-1], w.shape[-1]).astype(x.dtype)


@jax.custom_vjp
def _mixed(x: jax.Array, w: jax.Array) -> jax.Array:
  return _dot(_round(x), _round(w), 1, 0)


def _forward(x: jax.Array, w: jax.Array):
  x16, w16 = _round(x), _round(w)
  return _dot(x16, w16, 1, 0), (x16, w16)


def _backward(residuals, gradient: jax.Array):
  x16, w16 = residuals
  gradient = _round(gradient)
  return _dot(gradient, w16, 1, 1), _dot(x16, gradient, 0, 0)


_mixed.defvjp(_forward, _backward)


def _round(x: jax.Array) -> jax.Array:
  return x.astype(jnp.bfloat16)


def _dot(a: jax.Array, b: jax.Array, axis_a: int, axis_b: int) -> jax.Array:
  contraction = (((axis_a,), (axis_b,)), ((), ()))
  return jax.lax.dot_general(
    a, b, contraction, preferred_element_type=jnp.float32
  )
