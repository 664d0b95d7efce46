"""Bytes that the devices exchange in one training step; nothing is timed.

Counted in the traced program: the operand of every collective, as often as the
scan around it runs. A ring moves 2 (n - 1) / n times the operand of a sum over
each of n devices' links, and (n - 1) times that of a gathering.
"""

from __future__ import annotations

import collections
import functools
from collections.abc import Iterator
from typing import Any

import numpy as np

from benchmarks import contenders, sizes

COLLECTIVES = ('psum', 'pmax', 'pmin', 'all_gather', 'all_to_all', 'ppermute')
DEVICES = 8


def run(quick: bool) -> dict[str, Any]:
  """By size: parameters, and operand bytes a device and step by collective."""
  chosen = sizes.QUICK_SIZES if quick else sizes.SIZES
  return {name: measure(size) for name, size in chosen.items()}


def measure(size: sizes.Size, num_devices: int = DEVICES) -> dict[str, Any]:
  """Bytes a step for the global batch of `size` on so many devices."""
  import jax

  from nph_jax import train

  method, optimizer, state, tables = _shapes(size)
  rows = size.batch // num_devices
  shape = (rows, size.num_frames, size.frame_dim)
  batch = {
    'frames': jax.ShapeDtypeStruct(shape, np.float16),
    'index': jax.ShapeDtypeStruct((rows,), np.int32),
  }
  step = functools.partial(
    train.train_step,
    method=method,
    optimizer=optimizer,
    key=jax.random.key(0),
    axis_name=train.AXIS,
  )
  program = jax.make_jaxpr(step, axis_env=[(train.AXIS, num_devices)])(
    state, tables, batch
  )
  found = collections.Counter()
  for name, count in _exchanged(program.jaxpr):
    found[name] += count
  return {
    'devices': num_devices,
    'parameters': sum(x.size for x in jax.tree.leaves(state.params)),
    'bytes': dict(found),
  }


def _shapes(size: sizes.Size):
  import jax

  from nph_jax import train_state

  method = contenders.nph(size)
  optimizer = train_state.adam(contenders.LEARNING_RATE, contenders.BETA1)
  tables = jax.eval_shape(sizes.tables)
  create = functools.partial(train_state.create, method, optimizer)
  state = jax.eval_shape(create, jax.random.key(0), tables)
  return method, optimizer, state, tables


def equations(program: Any, times: int = 1) -> Iterator[tuple[Any, int]]:
  """(equation, how often it runs), those within others included.

  Args:
    program: a jaxpr that runs `times` times.
  """
  for equation in program.eqns:
    yield equation, times
    name = equation.primitive.name
    inner = (
      times * equation.params.get('length', 1) if name == 'scan' else times
    )
    for part in _programs(equation.params, name):
      yield from equations(part, inner)


def _exchanged(program: Any) -> Iterator[tuple[str, int]]:
  """(collective, bytes) of every one in a jaxpr."""
  for equation, times in equations(program):
    for collective in COLLECTIVES:
      if equation.primitive.name.startswith(collective):
        values = [v.aval for v in equation.invars]
        yield collective, times * sum(v.size * v.dtype.itemsize for v in values)


def _programs(params: dict[str, Any], name: str) -> list[Any]:
  """The programs inside an equation; of a choice by platform the first."""
  found = []
  for value in params.values():
    several = value if isinstance(value, tuple | list) else [value]
    inner = [getattr(v, 'jaxpr', v) for v in several]
    inner = [v for v in inner if hasattr(v, 'eqns')]
    found += inner[:1] if name == 'cond' else inner
  return found
