"""The frames' error without the frames against the frames' error."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from nph_jax.models.linear_frames import LinearFrames

M, B, H, L = 4, 5, 3, 7


def parts(dtype):
  rng = np.random.default_rng(0)
  shapes = ((M, B, H), (H, L), (L,), (B, M, L))
  return [jnp.asarray(rng.normal(size=s), dtype) for s in shapes]


def error(hidden, kernel, bias, frames):
  rebuilt = jnp.swapaxes(hidden @ kernel + bias, 0, 1)
  return jnp.mean(jnp.square(frames - rebuilt))


@pytest.mark.parametrize('reverse', [False, True])
def test_error_and_gradients_in_float64(reverse):
  with jax.enable_x64(True):
    *affine, frames = parts(jnp.float64)

    def ours(hidden, kernel, bias):
      rebuilt = LinearFrames(hidden, kernel, bias, 'float32')
      rebuilt = rebuilt.reverse() if reverse else rebuilt
      return rebuilt.mean_squared_error(frames)

    def plain(hidden, kernel, bias):
      hidden = hidden[::-1] if reverse else hidden
      return error(hidden, kernel, bias, frames)

    found = jax.value_and_grad(ours, (0, 1, 2))(*affine)
    expected = jax.value_and_grad(plain, (0, 1, 2))(*affine)
    for a, b in zip(jax.tree.leaves(found), jax.tree.leaves(expected)):
      np.testing.assert_allclose(a, b, rtol=1e-10, atol=1e-12)


def test_frames_are_the_affine_map():
  with jax.enable_x64(True):
    hidden, kernel, bias, _ = parts(jnp.float64)
    found = LinearFrames(hidden, kernel, bias, 'float32').frames()
    expected = np.einsum('mbh,hl->bml', hidden, kernel) + np.asarray(bias)
    np.testing.assert_allclose(found, expected, rtol=1e-12)


def test_bfloat16_is_the_error_of_the_rounded_values():
  hidden, kernel, bias, frames = parts(jnp.float32)
  found = LinearFrames(hidden, kernel, bias, 'bfloat16').mean_squared_error(
    frames
  )
  half = lambda x: x.astype(jnp.bfloat16).astype(jnp.float32)  # noqa: E731
  expected = error(hidden, half(kernel), bias, half(frames))
  np.testing.assert_allclose(found, expected, rtol=1e-5)
  assert abs(float(expected - error(hidden, kernel, bias, frames))) > 1e-5
