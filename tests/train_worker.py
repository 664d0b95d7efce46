"""Trains a small NPH on made-up frames and saves its parameters.

  python tests/train_worker.py OUT --steps=6 [--workdir=DIR] [--devices=4]
    [--coordinator=HOST:PORT --processes=2 --process=0] [--pairs=batch]
    [--ahead]

A process of its own, because the number of devices is fixed when jax starts.
"""

import argparse
import os
import pathlib
import sys

parser = argparse.ArgumentParser()
parser.add_argument('out')
parser.add_argument('--steps', type=int, default=6)
parser.add_argument('--workdir')
parser.add_argument('--devices', type=int, default=1)
parser.add_argument('--coordinator')
parser.add_argument('--processes', type=int, default=1)
parser.add_argument('--process', type=int, default=0)
parser.add_argument('--pairs', default='batch')
parser.add_argument('--poison_step', type=int)
parser.add_argument('--steps_per_call', type=int, default=1)
parser.add_argument('--resident', action='store_true')
parser.add_argument('--ahead', action='store_true')
options = parser.parse_args()
os.environ['NPROC'] = '16'
os.environ['XLA_FLAGS'] = (
  f'{os.environ.get("XLA_FLAGS", "")} '
  f'--xla_force_host_platform_device_count={options.devices} '
  '--xla_cpu_collective_call_terminate_timeout_seconds=600'
)

import jax
import jax.numpy as jnp
import methods
import numpy as np

from nph_jax import distributed, errors, train, train_state
from nph_jax.checkpoint import Checkpointer
from nph_jax.metric_writer import MetricWriter

N, B, M, L, K, C = 48, 16, 5, 12, 16, 9


def all_frames():
  return np.random.default_rng(0).normal(size=(N, M, L)).astype(np.float16)


def batches(start):
  frames = all_frames()
  rows = B // options.processes
  for step in range(start, 10**6):
    index = np.random.default_rng(step).permutation(N)[:B]
    mine = index[options.process * rows : (options.process + 1) * rows]
    batch = frames[mine].copy()
    if step + 1 == options.poison_step:
      batch[0, 0, 0] = np.nan
    if options.resident:
      yield {'index': mine}  # the frames are on the devices
    else:
      yield {'frames': batch, 'index': mine}


def main():
  distributed.start(options.coordinator, options.processes, options.process)
  rng = np.random.default_rng(1)
  tables = {
    'anchors': jnp.asarray(rng.normal(size=(C, 16)), jnp.float32),
    'anchor_indices': jnp.asarray(rng.integers(0, C, (N, 2)), jnp.int32),
  }
  widths = {'hidden_width': 16, 'memory_width': 16}
  method = methods.make('nph_paper', K, M, L, pairs=options.pairs, **widths)
  optimizer = train_state.adam(1e-3, 0.9)
  state = train_state.create(method, optimizer, jax.random.key(0), tables)
  resident = None
  if options.resident:
    resident = jnp.asarray(all_frames())
  calls = (options.steps_per_call, options.ahead)
  run = train.Run('small', 0, options.steps, B, N // B, 4, 1, *calls)
  workdir = pathlib.Path(options.workdir or f'{options.out}.work')
  losses = []
  with (
    Checkpointer(workdir / 'checkpoints') as checkpointer,
    MetricWriter(
      workdir / 'logs',
      step=checkpointer.latest_step or 0,
      active=distributed.is_primary(),
    ) as writer,
  ):
    write = writer.write_scalars
    writer.write_scalars = lambda step, values: (
      losses.append(values['loss']),
      write(step, values),
    )
    what = (run, method, optimizer, state, tables, batches)
    state = train.fit(*what, checkpointer, writer, resident)
  assert jax.device_count() == options.devices * options.processes
  if distributed.is_primary():
    trained = {'params': state.params, 'collections': state.collections}
    flat = jax.tree_util.tree_leaves_with_path(trained)
    arrays = {jax.tree_util.keystr(k): np.asarray(v) for k, v in flat}
    np.savez(options.out, losses=losses, **arrays)


try:
  main()
except errors.UserError as error:
  sys.exit(f'error: {error}')
