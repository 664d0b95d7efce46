"""One training step of NPH and of each later method, at FCVID's size.

  python -m benchmarks.methods [NAME ...]   # some alone; prints, writes nothing

With the options that their authors set for FCVID, and a batch of 128. Beside
ConMH is a plain PyTorch version of it, in bfloat16 by autocast.
Past warm-ups and first stages, as most steps are. What a method does between
epochs is not in it.
"""

from __future__ import annotations

import importlib.util
import itertools
import sys
from collections.abc import Sequence
from typing import Any

import numpy as np

from benchmarks import contenders, machine, measuring, sizes, speed_tables

METHODS = (
  'nph_paper', 'udvh', 'bth', 'dkph', 'conmh', 'autossvh', 's5vh', 'wsch',
)  # fmt: skip
_BESIDE = 'conmh in PyTorch'
_PRECISIONS = ('float32', 'bfloat16')
_NUM_NEAREST = 5  # BTH's and DKPH's pairs read so many
_EPOCH = 101  # the longest warm-up is 100


def run(quick: bool, names: Sequence[str] = ()) -> dict[str, Any]:
  """Seconds of each method's step by precision.

  Args:
    quick: at a tiny size.
    names: of the methods, all of METHODS by default.
  """
  names = names or METHODS
  size = sizes.QUICK_SIZES['quick'] if quick else sizes.SIZES['fcvid']
  found: dict[str, dict[str, list[float]]] = {name: {} for name in names}
  if 'conmh' in names and importlib.util.find_spec('torch'):
    found[_BESIDE] = {}
  for precision, name in itertools.product(_PRECISIONS, names):
    steps = {name: _step(name, size, precision)}
    autocast = precision == 'bfloat16'
    runs = not autocast or machine.multiplies_bfloat16()
    if name == 'conmh' and _BESIDE in found and runs:
      steps[_BESIDE] = _beside(size, autocast)
    for each, times in measuring.in_turns(steps).items():
      found[each][precision] = times
  return {
    'size': size._asdict(),
    'seconds': {name: measuring.medians(each) for name, each in found.items()},
    'all': found,
  }


def _beside(size: sizes.Size, autocast: bool) -> contenders.Step:
  from nph_jax import config_files
  from nph_jax.models import masked_views

  options = config_files.load('fcvid', 'conmh').method_options
  masked = masked_views.num_masked(options.mask_ratio, size.num_frames)
  prior = options.positive_prior
  return contenders.pytorch_conmh(size, masked, prior, autocast)


def _step(name: str, size: sizes.Size, precision: str) -> contenders.Step:
  from nph_jax import config_files
  from nph_jax.models import registry

  config = config_files.load('fcvid', name)
  method = registry.build(
    name,
    num_bits=size.num_bits,
    num_frames=size.num_frames,
    frame_dim=size.frame_dim,
    model={**config.model.to_dict(), 'precision': precision},
    options=config.method_options.to_dict(),
  )
  shapes = method.table_shapes(sizes.NUM_VIDEOS)
  tables = {k: np.zeros(x.shape, x.dtype) for k, x in shapes.items()}
  if method.needs_neighborhood:
    tables.update(sizes.tables(num_nearest=_NUM_NEAREST))
  return contenders.stepping(size, *contenders.trained(method, tables, _EPOCH))


if __name__ == '__main__':
  print(speed_tables.methods(run(False, sys.argv[1:])))
