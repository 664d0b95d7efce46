"""Videos hashed a second: the exported hasher, and PyTorch's same work.

Both sides turn float16 frames into packed codes: autoencoder, the nearest 3 of
2000 anchors, NPH's encoder, signs. Ours is what `nph_jax.encode` runs, loaded
from a written bundle.
"""

from __future__ import annotations

import functools
import os
import pathlib
import tempfile
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from benchmarks import fresh, machine, measuring, sizes

BATCHES = (1, 256)
_LEARNED = ('fcvid', 'activitynet')
_BLOCK_SIZE = 64  # the configuration's default
_BLOCKS = 4  # of the larger batch, when memory is measured
PRECISIONS = ('float32', 'bfloat16')


def run(quick: bool) -> dict[str, Any]:
  """Results by size."""
  known = {**sizes.SIZES, **sizes.QUICK_SIZES}
  return {
    name: _measure(known[name]) for name in (('quick',) if quick else _LEARNED)
  }


def _measure(size: sizes.Size) -> dict[str, Any]:
  with tempfile.TemporaryDirectory() as folder:
    fixed = {'size': size, 'folder': folder}
    fresh.call('benchmarks.encode:write_bundles', **fixed)
    alone, again = (
      {
        name: fresh.call('benchmarks.encode:alone', name=name, **fixed)
        for name in _contenders()
      }
      for _ in range(2)
    )
    turns = {
      str(batch): fresh.call('benchmarks.encode:in_turns', batch=batch, **fixed)
      for batch in BATCHES
    }
  return {
    'size': size._asdict(),
    'seconds': {batch: x['seconds'] for batch, x in turns.items()},
    'videos_per_second': {
      batch: {name: int(batch) / s for name, s in x['seconds'].items()}
      for batch, x in turns.items()
    },
    'all': {batch: x['all'] for batch, x in turns.items()},
    'first_code': {name: x['first_code'] for name, x in alone.items()},
    'first_code_again': {name: x['first_code'] for name, x in again.items()},
    'peak_bytes': {name: x['peak_bytes'] for name, x in alone.items()},
  }


def write_bundles(
  size: list[int], folder: str, precisions: Sequence[str] = PRECISIONS
) -> dict[str, Any]:
  """A bundle of random parameters in each precision, as export writes them."""
  import jax

  from nph_jax.export import bundle
  from nph_jax.models import registry
  from nph_jax.models.autoencoder import Autoencoder, AutoencoderMethod

  _, num_frames, frame_dim, num_bits = size
  tables = sizes.tables()
  key = jax.random.key(0)
  for precision in precisions:
    method = registry.build(
      'nph_paper',
      num_bits=num_bits,
      num_frames=num_frames,
      frame_dim=frame_dim,
      model={'precision': precision},
    )
    autoencoder = Autoencoder(
      sizes.WIDTH, num_frames, frame_dim, precision=precision
    )
    params, _ = jax.jit(AutoencoderMethod(autoencoder).init)(key, {})
    neighborhood = bundle.Neighborhood(
      autoencoder, params, tables['anchors'], sizes.NUM_NEAREST
    )
    variables = method.inference_variables(*jax.jit(method.init)(key, tables))
    about = {'method': 'nph', 'dataset': 'made up', 'step': 0}
    built = bundle.build(
      method,
      variables,
      neighborhood,
      _BLOCK_SIZE,
      {**about, 'config': {'seed': 0}},
    )
    bundle.write(built, pathlib.Path(folder) / precision)
  return {}


def ours(folder: str, precision: str):
  """The hasher that `write_bundles` wrote."""
  from nph_jax import allocator
  from nph_jax.export import load_hasher

  allocator.keep_freed_memory()
  return load_hasher(pathlib.Path(folder) / precision)


def pytorch(size: sizes.Size, precision: str, device: str = 'cpu'):
  """Float16 frames to packed codes by PyTorch."""
  import torch

  from benchmarks import torch_nph

  _, num_frames, frame_dim, num_bits = size
  autoencoder = torch_nph.Autoencoder(frame_dim).to(device)
  model = torch_nph.NPH(num_bits, num_frames, frame_dim, sizes.NUM_NEAREST)
  model.eval().to(device)
  anchors = torch.from_numpy(sizes.tables()['anchors']).to(device)

  @torch.inference_mode()
  def encode(frames):
    frames = torch.from_numpy(frames).to(device).float()
    half = precision == 'bfloat16'
    with torch.autocast(device, torch.bfloat16, enabled=half):
      return torch_nph.hash_videos(
        frames, autoencoder, model, anchors, sizes.NUM_NEAREST
      )

  return encode


CONTENDERS: dict[str, Callable[[sizes.Size, str], Callable]] = {
  **{
    f'ours {name}': lambda size, folder, p=name: ours(folder, p).encode
    for name in PRECISIONS
  },
  **{
    f'PyTorch {name}': lambda size, folder, p=name: pytorch(size, p)
    for name in PRECISIONS
  },
}


def _contenders() -> list[str]:
  """Those that run here in reasonable time."""
  slow = () if machine.multiplies_bfloat16() else ('PyTorch bfloat16',)
  return [name for name in CONTENDERS if name not in slow]


def alone(name: str, size: list[int], folder: str) -> dict[str, Any]:
  """Seconds to the first code once the program is imported and loaded."""
  from nph_jax import compilation

  os.environ['JAX_COMPILATION_CACHE_DIR'] = f'{folder}/compiled'
  compilation.set_up()
  size = sizes.Size(*size)
  encode = CONTENDERS[name](size, folder)
  frames = sizes.frames(max(BATCHES), size)
  first_code = measuring.seconds(lambda: encode(frames[:1]))
  for _ in range(_BLOCKS):
    encode(frames)
  return {'first_code': first_code}


def in_turns(size: list[int], folder: str, batch: int) -> dict[str, Any]:
  """Median seconds of hashing one batch."""
  size = sizes.Size(*size)
  frames = sizes.frames(batch, size)
  programs = {
    name: functools.partial(_run, CONTENDERS[name](size, folder), frames)
    for name in _contenders()
  }
  times = measuring.in_turns(programs)
  return {'seconds': measuring.medians(times), 'all': times}


def _run(encode: Callable[[np.ndarray], np.ndarray], frames: np.ndarray):
  codes = encode(frames)
  assert len(codes) == len(frames)
