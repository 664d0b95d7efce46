"""One training step of each contender, on the same batch, as a function."""

from __future__ import annotations

import functools
from collections.abc import Callable

import numpy as np

from benchmarks import sizes

Step = Callable[[], float]
LEARNING_RATE, BETA1 = 1e-3, 0.9


def nph(size: sizes.Size, **fields):
  """The method NPH of the default configuration, for videos of a size.

  Args:
    size: of frames and codes.
    **fields: of config.model, in place of the defaults.
  """
  from nph_jax.models import registry

  return registry.build(
    'nph_paper',
    num_bits=size.num_bits,
    num_frames=size.num_frames,
    frame_dim=size.frame_dim,
    model=fields,
  )


def trainer(size: sizes.Size, **fields):
  """`trained` of `nph`."""
  return trained(nph(size, **fields), sizes.tables())


def trained(method, tables, epoch: int | None = None):
  """The compiled step of a method, a state for it and the tables it reads.

  Args:
    method: see models.method.Method.
    tables: as training reads them.
    epoch: which one the state is in, where the method has epochs.
  """
  import jax

  from nph_jax import allocator, compilation, train, train_state

  allocator.keep_freed_memory()
  compilation.set_up()
  tables, key = train.replicate(tables), jax.random.key(0)
  optimizer = train_state.adam(LEARNING_RATE, BETA1)
  state = train_state.create(method, optimizer, key, tables)
  if method.has_epochs and epoch is not None:
    codes = np.random.default_rng(0).standard_normal(
      (sizes.NUM_VIDEOS, method.num_bits), np.float32
    )
    begun = method.begin_epoch(
      jax.device_get(state.collections), epoch, lambda: codes, key
    )
    state = state.replace(collections=begun)
  step = train.parallel_steps(method, optimizer, 0)
  return step, train.replicate(state), tables


def ours(size: sizes.Size, **fields) -> Step:
  """A step of our trainer on a float16 batch in memory, waited for."""
  return stepping(size, *trainer(size, **fields))


def stepping(size: sizes.Size, step, state, tables) -> Step:
  """What `trained` returns as a function that takes a step."""
  from nph_jax import train

  batch = {
    'frames': sizes.frames(size.batch, size),
    'index': np.arange(size.batch),
  }

  def run():
    nonlocal state
    state, metrics = step(state, tables, None, train.split_batches([batch]))
    return float(metrics['loss'][0])

  return run


def pytorch(
  size: sizes.Size,
  autocast: bool = False,
  compiled: bool = False,
  device: str = 'cpu',
) -> Step:
  """The same step of the plain PyTorch implementation.

  Args:
    size: of the step.
    autocast: products in bfloat16 where torch.autocast has them so.
    compiled: forward pass and loss under torch.compile, and with them the
      backward pass; on a GPU as CUDA graphs.
    device: 'cpu' or 'cuda', where the batch is too.
  """
  import torch

  from benchmarks import torch_nph

  on_gpu = device == 'cuda'
  tables = sizes.tables()
  frames = torch.from_numpy(sizes.frames(size.batch, size)).to(device)
  model = torch_nph.NPH(
    size.num_bits, size.num_frames, size.frame_dim, sizes.NUM_NEAREST
  ).to(device)
  optimizer = torch.optim.Adam(
    model.parameters(), lr=LEARNING_RATE, fused=on_gpu
  )
  anchors = torch.from_numpy(tables['anchors']).to(device)
  indices = torch.from_numpy(tables['anchor_indices'][: size.batch])
  indices = indices.long().to(device)

  def forward(values):
    with torch.autocast(device, torch.bfloat16, enabled=autocast):
      outputs = model(values, anchors[indices])
    outputs = [x.float() for x in outputs]
    return torch_nph.loss(outputs, values, indices)

  if compiled:
    mode = 'reduce-overhead' if on_gpu else None
    forward = torch.compile(forward, mode=mode)
  return _pytorch_step(optimizer, lambda: forward(frames.float()))


def pytorch_conmh(
  size: sizes.Size, masked: int, prior: float, autocast: bool = False
) -> Step:
  """A step of ConMH in plain PyTorch.

  Args:
    size: of the step.
    masked: frames that a view does not show.
    prior: tau+.
    autocast: see `pytorch`.
  """
  import torch

  from benchmarks import torch_conmh

  frames = torch.from_numpy(sizes.frames(size.batch, size))
  model = torch_conmh.ConMH(
    size.num_bits, size.num_frames, size.frame_dim, masked
  )

  def forward():
    with torch.autocast('cpu', torch.bfloat16, enabled=autocast):
      outputs = model(frames.float())
    return torch_conmh.loss([x.float() for x in outputs], prior)

  optimizer = torch.optim.Adam(model.parameters(), lr=1e-4)
  return _pytorch_step(optimizer, forward)


def _pytorch_step(optimizer, forward) -> Step:
  def run():
    loss = forward()
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    return loss.item()

  return run


CONTENDERS: dict[str, Callable[[sizes.Size], Step]] = {
  'ours float32': functools.partial(ours, precision='float32'),
  'ours bfloat16': functools.partial(ours, precision='bfloat16'),
  'literal scan': functools.partial(ours, literal=True, precision='float32'),
  'PyTorch float32': pytorch,
  'PyTorch bfloat16': functools.partial(pytorch, autocast=True),
  'PyTorch float32 compiled': functools.partial(pytorch, compiled=True),
  'PyTorch bfloat16 compiled': functools.partial(
    pytorch, autocast=True, compiled=True
  ),
}
