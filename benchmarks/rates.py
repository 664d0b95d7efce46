"""What the machine can do: matrix products and copies."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from benchmarks import machine, measuring

# Rows, inner and columns: FCVID's frame product, and a square one.
SHAPES = ((3200, 4096, 1024), (2048, 2048, 2048))
_RUNS = 5
_COPY_BYTES = 2**28


def measure() -> dict[str, float]:
  """The best of several runs and shapes.

  Returns:
    FLOP/s by library and precision, such as 'jax bfloat16', and 'copy', bytes
    read plus bytes written a second.
  """
  rates = {'copy': 2 * _COPY_BYTES / _best(_copy())}
  for name, make in _PRODUCTS.items():
    if name == 'torch bfloat16' and not machine.multiplies_bfloat16():
      continue
    rates[name] = max(
      2 * rows * inner * columns / _best(make(rows, inner, columns))
      for rows, inner, columns in SHAPES
    )
  return rates


def accelerator(shapes: Sequence[tuple[int, int, int]]) -> dict[str, float]:
  """FLOP/s of jax's products, and 'link', bytes a second from the host."""
  import jax

  rates = {
    name: max(2 * r * i * c / _best(make(r, i, c)) for r, i, c in shapes)
    for name, make in _PRODUCTS.items()
    if name.startswith('jax')
  }
  source = np.ones(_COPY_BYTES, np.uint8)
  send = lambda: jax.block_until_ready(jax.device_put(source))  # noqa: E731
  return {**rates, 'link': _COPY_BYTES / _best(send)}


def matrix_rate(rates: dict[str, float], precision: str) -> float:
  """FLOP/s of the faster library."""
  return max(rates[x] for x in rates if x.endswith(precision))


def _best(program: Callable[[], object]) -> float:
  program()
  return min(measuring.seconds(program) for _ in range(_RUNS))


def _copy() -> Callable[[], object]:
  source = np.ones(_COPY_BYTES, np.uint8)
  target = np.zeros_like(source)
  return lambda: np.copyto(target, source)


def _in_jax(precision: str) -> Callable[..., Callable[[], object]]:
  def make(rows: int, inner: int, columns: int) -> Callable[[], object]:
    """A product [rows, inner] x [inner, columns] by XLA."""
    import jax
    import jax.numpy as jnp

    x, w = (
      jnp.ones(shape, precision) for shape in ((rows, inner), (inner, columns))
    )
    # Sums in float32, as our products have them.
    product = jax.jit(
      lambda x, w: jnp.matmul(x, w, preferred_element_type=jnp.float32)
    )
    return lambda: jax.block_until_ready(product(x, w))

  return make


def _in_torch(precision: str) -> Callable[..., Callable[[], object]]:
  def make(rows: int, inner: int, columns: int) -> Callable[[], object]:
    """The same product by PyTorch."""
    import torch

    dtype = getattr(torch, precision)
    x, w = (
      torch.ones(rows, inner, dtype=dtype),
      torch.ones(inner, columns, dtype=dtype),
    )
    return lambda: x @ w

  return make


_PRODUCTS = {
  f'{library} {precision}': make(precision)
  for library, make in (('jax', _in_jax), ('torch', _in_torch))
  for precision in ('float32', 'bfloat16')
}
