"""Trains a rival on made-up frames, on one device and on four.

  python tests/models/rival_worker.py OUT METHOD...

A process of its own, because the number of devices is fixed when jax starts.
"""

import os
import sys

os.environ['NPROC'] = '16'
os.environ['XLA_FLAGS'] = (
  f'{os.environ.get("XLA_FLAGS", "")} --xla_force_host_platform_device_count=4 '
  '--xla_cpu_collective_call_terminate_timeout_seconds=600'
)

import functools
import pathlib

sys.path.insert(0, str(pathlib.Path(__file__).parent.parent))

import jax
import jax.numpy as jnp
import methods
import numpy as np

from nph_jax import epochs, rng, train, train_state

N, B, M, L, K, STEPS = 48, 16, 5, 12, 8, 3
# In float32 another order of sums decides ties of its cosines otherwise.
EXACT = ('wsch',)
OPTIMIZER = train_state.adam(1e-3, 0.9)


def made_up(name):
  """The method, its tables, its first state and some batches."""
  method = methods.make(name, K, M, L, hidden_width=16, **methods.SMALL)
  draw = np.random.default_rng(0)
  frames = draw.normal(size=(N, M, L)).astype(np.float32)
  tables = method.fit_tables(methods.features(frames), jax.random.key(0))
  tables |= methods.anchors(method, N)
  tables = {k: jnp.asarray(v) for k, v in tables.items()}
  state = train_state.create(method, OPTIMIZER, jax.random.key(1), tables)
  begin = epochs.hook(method, lambda: iter([frames]), 0)
  state = jax.device_get(begin(state, 0)) if begin else state
  rows = [draw.permutation(N)[:B] for _ in range(STEPS)]
  batches = [{'index': index, 'frames': frames[index]} for index in rows]
  return method, tables, state, batches


def on_one(method, tables, state, batches):
  step = jax.jit(
    functools.partial(
      train.train_step,
      method=method,
      optimizer=OPTIMIZER,
      key=rng.stream(0, 'step'),
    )
  )
  losses = []
  for batch in batches:
    state, metrics = step(state, tables, batch)
    losses.append(metrics['loss'])
  return state, losses


def on_four(method, tables, state, batches):
  steps = train.parallel_steps(method, OPTIMIZER, 0)
  state, metrics = steps(
    train.replicate(state),
    train.replicate(tables),
    None,
    train.split_batches(batches),
  )
  return state, metrics['loss']


def flat(prefix, state, losses):
  tree = {
    'params': state.params,
    'collections': state.collections,
    'losses': jnp.asarray(losses),
  }
  return {
    prefix + jax.tree_util.keystr(path): np.asarray(leaf)
    for path, leaf in jax.tree_util.tree_leaves_with_path(tree)
  }


def main():
  assert jax.device_count() == 4
  values = {}
  for name in sys.argv[2:]:
    with jax.enable_x64(name in EXACT):
      problem = made_up(name)
      values.update(flat(f'{name} one ', *on_one(*problem)))
      values.update(flat(f'{name} four ', *on_four(*problem)))
  np.savez(sys.argv[1], **values)


if __name__ == '__main__':
  main()
