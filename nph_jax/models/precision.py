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
  rows = x.reshape(-1, x.shape[-1])
  product = _product(rows, w, int(transpose), precision)
  return product.reshape(*x.shape[:-1], -1).astype(x.dtype)


@functools.partial(jax.custom_jvp, nondiff_argnums=(1,))
def rounded(x: jax.Array, precision: str) -> jax.Array:
  """x as a product in `precision` reads it, of the dtype of x.

  Its gradient is that of x.
  """
  return _read(x, precision).astype(x.dtype)


@rounded.defjvp
def _rounded_jvp(precision, primals, tangents):
  return rounded(primals[0], precision), tangents[0]


@functools.partial(jax.custom_vjp, nondiff_argnums=(2, 3))
def _product(
  x: jax.Array, w: jax.Array, axis: int, precision: str
) -> jax.Array:
  """Contracts x [R, N] with the axis of w."""
  return _forward(x, w, axis, precision)[0]


def _forward(x: jax.Array, w: jax.Array, axis: int, precision: str):
  x, w = _read(x, precision), _read(w, precision)
  return _dot(x, w, 1, axis), (x, w)


def _backward(axis: int, precision: str, residuals, gradient: jax.Array):
  x, w = residuals
  gradient = _read(gradient, precision)
  pair = (gradient, x) if axis else (x, gradient)
  return _dot(gradient, w, 1, 1 - axis), _over_rows(*pair)


_product.defvjp(_forward, _backward)


def _read(x: jax.Array, precision: str) -> jax.Array:
  return x if precision == 'float32' else x.astype(jnp.bfloat16)


def _dot(a: jax.Array, b: jax.Array, axis_a: int, axis_b: int) -> jax.Array:
  contraction = (((axis_a,), (axis_b,)), ((), ()))
  dtype = jnp.promote_types(a.dtype, jnp.float32)
  return jax.lax.dot_general(a, b, contraction, preferred_element_type=dtype)


def product_over_rows(x: jax.Array, g: jax.Array, precision: str) -> jax.Array:
  """x^T g [N, P] of x [..., N] and g [..., P]: a weight's gradient."""
  rows = (_read(z.reshape(-1, z.shape[-1]), precision) for z in (x, g))
  return _over_rows(*rows).astype(x.dtype)


def _over_rows(x: jax.Array, g: jax.Array) -> jax.Array:
  return jax.lax.platform_dependent(
    x, g, cpu=_sum_of_products_cpu, default=_sum_of_products
  )


def _sum_of_products(x: jax.Array, g: jax.Array) -> jax.Array:
  """x^T g [N, P] of x [R, N] and g [R, P]."""
  return _dot(x, g, 0, 0)


def _sum_of_products_cpu(x: jax.Array, g: jax.Array) -> jax.Array:
  """The same by a product of row-major operands, one of them transposed.

  XLA's fast products on CPUs take no transposed left operand; what it does
  instead takes twice the time (benchmarks/README.md). To transpose g means to
  transpose the result too, in bfloat16 of twice the bytes to a value.
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
