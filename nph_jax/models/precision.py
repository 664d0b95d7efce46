"""Matrix products in float32, or with bfloat16 operands and float32 sums."""

from __future__ import annotations

import functools

import jax
import jax.numpy as jnp


def matmul(
  x: jax.Array, w: jax.Array, precision: str, transpose: bool = False
) -> jax.Array:
  """x [..., N] @ w [N, P] as [..., P], of the dtype of x.

  With 'bfloat16' the operands are rounded, the sums are float32, in the
  products of the backward pass too (which differentiating a mixed product
  would run in float32).

  Args:
    x: [..., N].
    w: [N, P].
    precision: float32 or bfloat16.
    transpose: w is [P, N] instead.
  """
  if precision == 'float32':
    return x @ (w.T if transpose else w)
  rows = x.reshape(-1, x.shape[-1])
  product = _mixed(rows, w, int(transpose))
  return product.reshape(*x.shape[:-1], -1).astype(x.dtype)


@functools.partial(jax.custom_jvp, nondiff_argnums=(1,))
def rounded(x: jax.Array, precision: str) -> jax.Array:
  """x as a product in `precision` reads it, of the dtype of x.

  Its gradient is that of x.
  """
  return x if precision == 'float32' else _round(x).astype(x.dtype)


@rounded.defjvp
def _rounded_jvp(precision, primals, tangents):
  return rounded(primals[0], precision), tangents[0]


@functools.partial(jax.custom_vjp, nondiff_argnums=(2,))
def _mixed(x: jax.Array, w: jax.Array, axis: int) -> jax.Array:
  """Contracts x [R, N] with the axis of w."""
  return _dot(_round(x), _round(w), 1, axis)


def _forward(x: jax.Array, w: jax.Array, axis: int):
  x16, w16 = _round(x), _round(w)
  return _dot(x16, w16, 1, axis), (x16, w16)


def _backward(axis: int, residuals, gradient: jax.Array):
  x16, w16 = residuals
  gradient = _round(gradient)
  pair = (gradient, x16) if axis else (x16, gradient)
  return _dot(gradient, w16, 1, 1 - axis), _mixed_over_rows(*pair)


_mixed.defvjp(_forward, _backward)


def _round(x: jax.Array) -> jax.Array:
  return x.astype(jnp.bfloat16)


def _dot(a: jax.Array, b: jax.Array, axis_a: int, axis_b: int) -> jax.Array:
  contraction = (((axis_a,), (axis_b,)), ((), ()))
  return jax.lax.dot_general(
    a, b, contraction, preferred_element_type=jnp.float32
  )


def product_over_rows(x: jax.Array, g: jax.Array, precision: str) -> jax.Array:
  """x^T g [N, P] of x [..., N] and g [..., P]: a weight's gradient."""
  x, g = x.reshape(-1, x.shape[-1]), g.reshape(-1, g.shape[-1])
  if precision == 'float32':
    return x.T @ g
  return _mixed_over_rows(_round(x), _round(g)).astype(x.dtype)


def _mixed_over_rows(x: jax.Array, g: jax.Array) -> jax.Array:
  return jax.lax.platform_dependent(
    x, g, cpu=_sum_of_products_cpu, default=_sum_of_products
  )


def _sum_of_products(x: jax.Array, g: jax.Array) -> jax.Array:
  """x^T g [N, P] of x [R, N] and g [R, P]."""
  return _dot(x, g, 0, 0)


def _sum_of_products_cpu(x: jax.Array, g: jax.Array) -> jax.Array:
  """The same by a product of row-major operands, one of them transposed.

  XLA's fast bfloat16 product on CPUs takes no transposed left operand; what it
  does instead takes twice the time (benchmarks/README.md). To transpose g
  means to transpose the result too, which has twice the bytes to a value.
  """
  if x.size <= g.size + 2 * x.shape[1] * g.shape[1]:
    return _dot(_transposed(x), g, 1, 0)
  return _transposed(_dot(_transposed(g), x, 1, 0))


def _transposed(x: jax.Array) -> jax.Array:
  """x^T in memory: by way of three axes, or XLA folds it into the product."""
  rows, columns = x.shape
  inner = max(size for size in range(1, 129) if rows % size == 0)
  blocks = x.reshape(rows // inner, inner, columns).transpose(2, 0, 1)
  return jax.lax.optimization_barrier(blocks).reshape(columns, rows)
