"""From a video's encoding to the relaxed code and the binary one: eq. 10, 2."""

from __future__ import annotations

import functools

import jax
import jax.numpy as jnp
from flax import linen as nn

from nph_jax.models import initializers

START = 'start'  # the collection by which `start` reaches a method's t


class HashLayer(nn.Dense):
  """t = FC(h, k), eq. 10; begun elsewhere where a start says so (`begun`)."""

  kernel_init: nn.initializers.Initializer = initializers.xavier

  def __call__(self, inputs: jax.Array) -> jax.Array:
    """t [..., K] of inputs [..., H]."""
    return begun(self, super().__call__(inputs))


class CodeState(nn.Module):
  """t as it is, of methods whose recurrent state it is; see `begun`."""

  def __call__(self, relaxed_code: jax.Array) -> jax.Array:
    """t [B, K]."""
    return begun(self, relaxed_code)


def begun(module: nn.Module, relaxed_code: jax.Array) -> jax.Array:
  """t [B, K], or offset + gain t where `module` finds those (see `start`).

  Where t is one of each frame, [R B, V, K] of R views, all of a video's have
  the same offset.
  """
  if not module.has_variable(START, 'offset'):
    return relaxed_code
  offset, gain = (module.get_variable(START, x) for x in ('offset', 'gain'))
  offset = like(relaxed_code, offset)
  relaxed_code = offset + gain * relaxed_code
  if module.is_mutable_collection(START):
    module.put_variable(START, 'relaxed_code', relaxed_code)
  return relaxed_code


def like(relaxed_code: jax.Array, videos: jax.Array) -> jax.Array:
  """Values [B, K] of videos, to stand beside a t of their frames (`begun`)."""
  if relaxed_code.ndim == 2:
    return videos
  if relaxed_code.shape[0] != videos.shape[0]:  # B may be a symbol
    videos = jnp.tile(videos, (len(relaxed_code) // len(videos), 1))
  return videos[:, None]


@functools.partial(jax.custom_vjp, nondiff_argnums=(1,))
def sign_ste(relaxed_code: jax.Array, window: float = 1.0) -> jax.Array:
  """Sign of `relaxed_code`, +1 at 0, with a straight-through gradient (eq. 2).

  The gradient is BinaryNet's (reference [48]): 1 where |t| <= window, 0
  outside. A custom rule rather than clip and stop_gradient, whose gradient at
  the edge itself would be one half.

  Args:
    relaxed_code: t, [..., K].
    window: half-width of the interval that lets gradients through.

  Returns:
    b in {-1, +1}, of the shape and dtype of t.
  """
  return jnp.where(relaxed_code >= 0, 1, -1).astype(relaxed_code.dtype)


def _forward(relaxed_code: jax.Array, window: float):
  return sign_ste(relaxed_code, window), relaxed_code


def _backward(window: float, relaxed_code: jax.Array, gradient: jax.Array):
  return (jnp.where(jnp.abs(relaxed_code) <= window, gradient, 0),)


sign_ste.defvjp(_forward, _backward)


def pack_bits(relaxed_code: jax.Array) -> jax.Array:
  """Signs of t [B, K] as bytes [B, K / 8], first bit most significant."""
  return jnp.packbits(relaxed_code >= 0, axis=-1)
