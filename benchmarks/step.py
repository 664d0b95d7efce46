"""One training step: ours, our literal scan, and PyTorch, in turns.

  python -m benchmarks.step [--size=fcvid] [--runs=7] [--compile]
    [--default_malloc]

Every contender takes one step after the other, so that a busy moment of the
machine meets all of them. Prints and returns medians in seconds.
"""

import argparse
import functools
import time

import numpy as np

SIZES = {  # batch, frames, width, bits
  'fcvid': (128, 25, 4096, 64),
  'activitynet': (128, 30, 2048, 64),
  'moving_digits': (128, 25, 144, 32),
}
NUM_ANCHORS, NUM_NEAREST, NUM_VIDEOS = 2000, 3, 4096


def made_up(size, seed=0):
  """Frames [B, M, L] float16 and tables of a size."""
  batch, frames, width, _ = SIZES[size]
  rng = np.random.default_rng(seed)
  values = rng.standard_normal((batch, frames, width), np.float32)
  tables = {
    'anchors': rng.standard_normal((NUM_ANCHORS, 256), np.float32),
    'anchor_indices': rng.integers(
      0, NUM_ANCHORS, (NUM_VIDEOS, NUM_NEAREST), np.int32
    ),
  }
  return np.maximum(values, 0).astype(np.float16), tables


def ours(size, **fields):
  """A function that takes one step of our trainer and waits for it."""
  import jax

  from nph_jax import configuration, train, train_state
  from nph_jax.models import registry

  _, num_frames, width, bits = SIZES[size]
  config = configuration.base()
  model = {**config.model.to_dict(), **fields}
  method = registry.build(
    'nph',
    num_bits=bits,
    num_frames=num_frames,
    frame_dim=width,
    model=model,
    loss=config.loss.to_dict(),
  )
  frames, tables = made_up(size)
  tables = train.replicate(tables)
  optimizer = train_state.adam(1e-3, 0.9)
  state = train_state.create(method, optimizer, jax.random.key(0), tables)
  step = train.parallel_steps(method, optimizer, 0)
  batch = {'frames': frames, 'index': np.arange(len(frames))}
  holder = [train.replicate(state)]

  def run():
    holder[0], metrics = step(holder[0], tables, train.split_batches([batch]))
    return float(metrics['loss'][0])

  return run


def pytorch(size, autocast=False, compiled=False):
  """The same step of the plain PyTorch implementation."""
  import torch

  from benchmarks import torch_nph

  _, num_frames, width, bits = SIZES[size]
  frames, tables = made_up(size)
  model = torch_nph.NPH(bits, num_frames, width, NUM_NEAREST)
  optimizer = torch.optim.Adam(model.parameters(), lr=1e-3)
  anchors = torch.from_numpy(tables['anchors'])
  indices = torch.from_numpy(tables['anchor_indices'][: len(frames)]).long()

  def forward(values):
    with torch.autocast('cpu', torch.bfloat16, enabled=autocast):
      outputs = model(values, anchors[indices])
    outputs = [x.float() for x in outputs]
    return torch_nph.loss(outputs, values, indices)

  forward = torch.compile(forward) if compiled else forward

  def run():
    loss = forward(torch.from_numpy(frames).float())
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    return loss.item()

  return run


CONTENDERS = {
  'ours float32': ours,
  'ours bfloat16': functools.partial(ours, precision='bfloat16'),
  'literal scan': functools.partial(ours, literal=True),
  'PyTorch float32': pytorch,
  'PyTorch bfloat16': functools.partial(pytorch, autocast=True),
}


def measure(size, runs=7, with_compile=False, keep_memory=True):
  """Median seconds of a step and seconds to the first, by contender."""
  from nph_jax import allocator

  if keep_memory:
    allocator.keep_freed_memory()
  contenders = dict(CONTENDERS)
  if with_compile:
    contenders['PyTorch compiled'] = functools.partial(pytorch, compiled=True)
  steps, first, times = {}, {}, {}
  for name, make in contenders.items():
    start = time.perf_counter()
    steps[name] = make(size)
    steps[name]()
    first[name] = time.perf_counter() - start
    steps[name]()
    times[name] = []
  for _ in range(runs):
    for name, step in steps.items():
      start = time.perf_counter()
      step()
      times[name].append(time.perf_counter() - start)
  medians = {name: float(np.median(values)) for name, values in times.items()}
  return {'seconds': medians, 'to_first_step': first, 'all': times}


def main():
  parser = argparse.ArgumentParser(allow_abbrev=False)
  parser.add_argument('--size', choices=SIZES, default='fcvid')
  parser.add_argument('--runs', type=int, default=7)
  parser.add_argument('--compile', action='store_true')
  parser.add_argument('--default_malloc', action='store_true')
  options = parser.parse_args()
  result = measure(
    options.size, options.runs, options.compile, not options.default_malloc
  )
  for name, seconds in result['seconds'].items():
    first = result['to_first_step'][name]
    print(f'{name:18} {seconds:8.3f} s   first {first:.1f} s')


if __name__ == '__main__':
  main()
