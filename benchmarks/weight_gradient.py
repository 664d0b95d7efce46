"""A weight's gradient x^T g in bfloat16: as written, and as `precision` has it.

  python -m benchmarks.weight_gradient

The shapes are those of FCVID's frames: 128 videos of 25 frames, 4096 to 1024.
Prints median seconds of 9 alternating runs.
"""

from __future__ import annotations

import time

import jax
import jax.numpy as jnp
import numpy as np

from nph_jax import allocator
from nph_jax.models import precision


def main() -> None:
  """Times both and prints a line for each."""
  allocator.keep_freed_memory()
  rng = np.random.default_rng(0)
  x = jnp.asarray(rng.standard_normal((3200, 4096), np.float32), jnp.bfloat16)
  g = jnp.asarray(rng.standard_normal((3200, 1024), np.float32), jnp.bfloat16)

  @jax.jit
  def as_written(x, g):
    return jax.lax.dot_general(
      x, g, (((0,), (0,)), ((), ())), preferred_element_type=jnp.float32
    )

  @jax.jit
  def ours(x, g):
    return precision.product_over_rows(x, g, 'bfloat16')

  programs = {'as written': as_written, 'ours': ours}
  times = {name: [] for name in programs}
  for _ in range(10):
    for name, program in programs.items():
      start = time.perf_counter()
      jax.block_until_ready(program(x, g))
      times[name].append(time.perf_counter() - start)
  for name, values in times.items():
    print(f'{name:11} {np.median(values[1:]):.3f} s')


if __name__ == '__main__':
  main()
