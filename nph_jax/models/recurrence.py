"""A scan whose weight gradient is one product after the backward scan.

Differentiating a scan adds up the gradient of a recurrent weight step by step,
in products of B rows each. It is a sum over steps of hidden^T gradient, so one
product of M B rows gives it, from the hidden states that the forward scan saw
and the gradients that the backward scan yields anyway.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp

from nph_jax.models import precision as precision_lib

Carry = tuple[jax.Array, ...]
# Steps of a scan that a GPU gets as one piece: all, but for long videos, which
# would compile for minutes. It waits for launches, not for products, and for
# what a loop copies (docs/speed.md). A CPU gains nothing.
_GPU_UNROLL = 32


@functools.partial(jax.custom_vjp, nondiff_argnums=(0, 1))
def recurrent_scan(
  step: Callable[[Carry, Any, jax.Array], tuple[Carry, Any]],
  precision: str,
  weight: jax.Array,
  carry: Carry,
  offsets: jax.Array,
  inputs: Any,
) -> tuple[Carry, Any]:
  """Scans `step(carry, input, linear)`, linear = offset + hidden @ weight.

  Args:
    step: returns the next carry and an output; closes over no array.
    precision: of the recurrent product.
    weight: [H, G].
    carry: its last part is the hidden state, [B, H].
    offsets: the part of `linear` that does not depend on it, [M, B, G].
    inputs: whatever else a step reads, M leading.

  Returns:
    The last carry and the outputs, M leading.
  """
  return _scan(step, precision, weight, carry, offsets, inputs)[0]


def _scan(step, precision, weight, carry, offsets, inputs):
  """The scan's result, and the hidden states [M, B, H] before each step."""

  def body(carry, x):
    offset, value = x
    hidden = carry[-1]
    linear = offset + precision_lib.matmul(hidden, weight, precision)
    carry, output = step(carry, value, linear)
    return carry, (output, hidden)

  carry, (outputs, hidden) = jax.lax.scan(
    body,
    carry,
    (offsets, inputs),
    unroll=_GPU_UNROLL if jax.default_backend() == 'gpu' else 1,
  )
  return (carry, outputs), hidden


def _forward(step, precision, weight, carry, offsets, inputs):
  run = functools.partial(_scan, step, precision, weight)
  result, pullback, hidden = jax.vjp(
    run, carry, offsets, inputs, has_aux=True
  )  # fmt: skip
  return result, (pullback, hidden)


def _backward(step, precision, residuals, cotangent):
  pullback, hidden = residuals
  carry, offsets, inputs = pullback(cotangent)
  weight = precision_lib.product_over_rows(hidden, offsets, precision)
  return weight, carry, offsets, inputs


recurrent_scan.defvjp(_forward, _backward)


def frames_first(x: jax.Array) -> jax.Array:
  """[B, M, ...] as [M, B, ...], or back."""
  return jnp.swapaxes(x, 0, 1)
