"""The kernels of a training step on an H100, which need not be there.

  python -m benchmarks.kernels [fcvid] [bfloat16]

Wants jax's CUDA build, whose compiler makes programs for a GPU that is only
described to it. It cannot tell so which form of a product is fastest, as it
does there by timing them. Prints seconds of compiling and how many of each kind
a step runs, an iteration of a loop counted each time.
"""

from __future__ import annotations

import collections
import functools
import re
import sys
from collections.abc import Iterator
from typing import Any
from unittest import mock

import jax
import numpy as np

from benchmarks import contenders, measuring, sizes
from nph_jax import compilation, errors, train, train_state

_STEPS, _VIDEOS = 16, 1024  # of a call, and on the device
# What XLA asks of a GPU: NVIDIA H100 80GB HBM3, compute capability 9.0.
_TARGET = """
gpu_device_info {
  cuda_compute_capability { major: 9 } core_count: 132 fpus_per_core: 128
  clock_rate_ghz: 1.98 memory_bandwidth: 3352320000000 l2_cache_size: 52428800
  device_memory_size: 84942979072 threads_per_warp: 32
  threads_per_block_limit: 1024 threads_per_core_limit: 2048
  shared_memory_per_block: 49152 shared_memory_per_block_optin: 232448
  shared_memory_per_core: 233472 registers_per_core_limit: 65536
  registers_per_block_limit: 65536 block_dim_limit_x: 2147483647
  block_dim_limit_y: 65535 block_dim_limit_z: 65535
}
platform_name: "CUDA"
dnn_version_info { major: 9 minor: 10 }
device_description_str: "NVIDIA H100 80GB HBM3"
"""
_COMPUTATION = re.compile(r'^(ENTRY )?%?([\w.\-]+) \(.*\{$', re.M)
_INSTRUCTION = re.compile(
  r'^ +(?:ROOT )?%[\w.\-]+ = .*? ([a-z][\w\-]*)\(.*$', re.M
)
_NO_KERNEL = {
  'parameter', 'get-tuple-element', 'tuple', 'bitcast', 'constant',
  'after-all', 'partition-id', 'replica-id', 'opt-barrier', 'fusion-done',
}  # fmt: skip


def count(program: str) -> collections.Counter[str]:
  """How often each kind of kernel runs, of a compiled program's text."""
  bodies = {}
  parts = _COMPUTATION.split(program)[1:]
  for is_entry, name, text in zip(*[iter(parts)] * 3):
    bodies[name] = text
    entry = name if is_entry else ''
  counts = collections.Counter()
  for kind, times in _kinds(bodies, entry, 1):
    counts[kind] += times
  return counts


def _kinds(
  bodies: dict[str, str], name: str, times: int
) -> Iterator[tuple[str, int]]:
  for found in _INSTRUCTION.finditer(bodies[name]):
    kind, line = found[1], found[0]
    if kind in ('while', 'call', 'conditional'):
      trips = re.search(r'"known_trip_count":\{"n":"(\d+)"', line)
      inner = re.search(r'(?:body|to_apply)=%([\w.\-]+)', line)
      if inner:
        yield from _kinds(
          bodies, inner[1], times * int(trips[1] if trips else 1)
        )
    elif kind not in _NO_KERNEL:
      target = re.search(r'(?:custom_call_target="|kind=k)(\w+)', line)
      yield f'{kind} {target[1]}' if target else kind, times


def compiled(size: sizes.Size, precision: str) -> tuple[float, Any]:
  """Seconds to compile `_STEPS` steps of NPH, frames resident, and these.

  Raises:
    UserError: jax has no compiler for such GPUs here.
  """
  from jax.experimental import topologies

  try:
    there = topologies.get_topology_desc(
      'h100', 'cuda', target_config=_TARGET, topology='1x1x1'
    )
  except NotImplementedError as error:
    raise errors.UserError(
      "jax's CUDA build is not here; install requirements-cuda.txt, for which "
      'no GPU is needed.'
    ) from error
  mesh = jax.sharding.Mesh(np.array(there.devices), 'x')
  whole = jax.sharding.NamedSharding(mesh, jax.sharding.PartitionSpec())
  method, tables = contenders.nph(size, precision=precision), sizes.tables()
  optimizer = train_state.adam(contenders.LEARNING_RATE, contenders.BETA1)
  key = jax.random.key(0)
  create = functools.partial(train_state.initial, method, optimizer)
  step = functools.partial(train.train_step, method=method, optimizer=optimizer)

  def steps(key, state, tables, resident, batches):
    take = lambda s, b: step(s, tables, b, key=key, resident=resident)  # noqa: E731
    return jax.lax.scan(take, state, batches)

  shape = jax.ShapeDtypeStruct
  frames = shape((_VIDEOS, size.num_frames, size.frame_dim), np.float16)
  batches = {'index': shape((_STEPS, size.batch), np.int32)}
  arguments = jax.tree.map(
    lambda x: shape(x.shape, x.dtype, sharding=whole),
    (key, jax.eval_shape(create, key, tables), tables, frames, batches),
  )
  with mock.patch.object(jax, 'default_backend', lambda: 'gpu'):
    lowered = jax.jit(steps, donate_argnums=1).lower(*arguments)
  return measuring.timed(lowered.compile)


def main(size: str = 'fcvid', precision: str = 'bfloat16') -> None:
  """Prints what one step of ours is made of."""
  compilation.set_up()
  jax.config.update('jax_platforms', 'cpu')
  jax.config.update('jax_enable_compilation_cache', False)  # wants the GPU
  taken, program = compiled(sizes.SIZES[size], precision)
  counts = {k: n / _STEPS for k, n in count(program.as_text()).items()}
  print(f'{size}, {precision}: compiled in {taken:.1f} s')
  print(f'{sum(counts.values()):7.1f} kernels a step')
  for kind, times in sorted(counts.items(), key=lambda item: -item[1]):
    print(f'{times:7.1f} {kind}')


if __name__ == '__main__':
  errors.run_main(lambda: main(*sys.argv[1:]))
