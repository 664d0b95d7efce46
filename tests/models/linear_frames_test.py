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


def test_bfloat16_is_the_error_of_the_rounded_values():
  hidden, kernel, bias, frames = parts(jnp.float32)
  found = LinearFrames(hidden, kernel, bias, 'bfloat16').mean_squared_error(
    frames
  )
  half = lambda x: x.astype(jnp.bfloat16).astype(jnp.float32)  # noqa: E731
  read = half(frames - bias) + bias
  expected = error(hidden, half(kernel), bias, read)
  np.testing.assert_allclose(found, expected, rtol=1e-5)
  assert abs(float(expected - error(hidden, kernel, bias, frames))) > 1e-5


@pytest.mark.parametrize(
  'precision, tolerance', [('float32', 1e-4), ('bfloat16', 1e-2)]
)
def test_a_large_mean_does_not_cancel(precision, tolerance):
  """Frames around 10, rebuilt to within 0.1."""
  rng = np.random.default_rng(1)
  hidden, kernel, bias = (
    rng.normal(size=s) for s in ((M, 32, H), (H, L), (L,))
  )
  bias += 10
  frames = np.einsum('mbh,hl->bml', hidden, kernel) + bias
  frames += 0.1 * rng.normal(size=frames.shape)

  def ours(*affine):
    return LinearFrames(*affine, precision).mean_squared_error(frames32)

  affine = [jnp.asarray(x, jnp.float32) for x in (hidden, kernel, bias)]
  frames32 = jnp.asarray(frames, jnp.float32)
  with jax.enable_x64(True):
    wide = [jnp.asarray(x, jnp.float64) for x in (*affine, frames32)]
    if precision == 'bfloat16':
      half = wide[1].astype(jnp.bfloat16).astype(jnp.float64)
      read = (wide[3] - wide[2]).astype(jnp.bfloat16).astype(jnp.float64)
      wide[1], wide[3] = half, read + wide[2]
    expected = np.asarray(error(*wide))
  np.testing.assert_allclose(jax.jit(ours)(*affine), expected, rtol=tolerance)
