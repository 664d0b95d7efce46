"""Whether an accelerator computes what a CPU does.

The rearranged step against the literal scans, and codes of exported programs
against a CPU's: bits may differ where t is so near 0 that rounding decides.
"""

from __future__ import annotations

import functools
import importlib.util
import tempfile
from collections.abc import Callable, Mapping
from typing import Any

import jax
import numpy as np

from benchmarks import contenders, encode, sizes
from nph_jax import errors

_SIZE = sizes.Size(32, 25, 1024, 64)
_CLASSES, _NUM_VIDEOS = 16, 256
_CLOSED_FORMS = ('itq_moments', 'itq', 'itq_neighbors')
# The largest gradient's error, as a part of it; and the largest |t| of a bit
# that differs, as a part of the largest of its video. A closed form is fitted
# anew on each side, its rotation in 50 rounds.
_LIMITS = {
  'fused': 1e-9, 'nph float32': 1e-4, 'nph bfloat16': 1e-2,
  'itq': 1e-2, 'itq_moments': 1e-2, 'itq_neighbors': 1e-2,
}  # fmt: skip


def run(quick: bool) -> dict[str, dict[str, float]]:
  """By name: `found`, `limit`, and where codes are compared `bits` and `of`.

  Args:
    quick: at a tiny size, and with one method of each kind.
  """
  size = sizes.QUICK_SIZES['quick'] if quick else _SIZE
  frames = _classes(size)
  checks = {'fused': {'found': fused_error(size)}}
  precisions = ('float32',) if quick else ('float32', 'bfloat16')
  with tempfile.TemporaryDirectory() as folder:
    encode.write_bundles(size, folder, precisions)
    for precision in precisions:
      load = functools.partial(encode.ours, folder, precision)
      checks[f'nph {precision}'] = _compared(load, frames)
  # The last one's neighbours are faiss's, which a bare machine lacks.
  there = 1 if quick else 3 if importlib.util.find_spec('faiss') else 2
  for name in _CLOSED_FORMS[:there]:
    checks[name] = _compared(lambda n=name: _fitted(n, size, frames), frames)
  return {k: {**x, 'limit': _LIMITS[k]} for k, x in checks.items()}


def require(checks: Mapping[str, Mapping[str, float]]) -> None:
  """Raises a UserError that names the checks beyond their limits."""
  failed = [
    f'{name} is {x["found"]:.1e} apart, above {x["limit"]:.0e}'
    for name, x in checks.items()
    if not x['found'] <= x['limit']
  ]
  if failed:
    raise errors.UserError(f'this device computes otherwise: {failed}')


def fused_error(size: sizes.Size) -> float:
  """The largest difference of a gradient, as a part of its largest value.

  In float64: in float32 rounding can move a unit of the MLP over its ReLU's
  edge, which alone changes a gradient by .009.
  """
  batch = {
    'frames': sizes.frames(size.batch, size).astype(np.float64),
    'index': np.arange(size.batch),
  }
  with jax.enable_x64(True), jax.default_matmul_precision('highest'):
    tables, key = sizes.tables(), jax.random.key(0)
    tables['anchors'] = tables['anchors'].astype(np.float64)
    methods = [contenders.nph(size, literal=x) for x in (True, False)]
    params, collections = jax.tree.map(
      lambda x: x.astype(float), jax.jit(methods[0].init)(key, tables)
    )
    expected, found = (
      jax.jit(
        jax.grad(functools.partial(m.loss, axis_name=None), has_aux=True)
      )(params, collections, batch, tables, key)[0]
      for m in methods
    )
    apart = jax.tree.map(
      lambda a, b: np.abs(a - b).max() / np.abs(b).max(), found, expected
    )
    return float(max(jax.tree.leaves(apart)))


def _classes(size: sizes.Size) -> np.ndarray:
  """Frames of classes: of mere noise a closed form's rounding decides all."""
  rng = np.random.default_rng(1)
  centres = rng.standard_normal((_CLASSES, 1, size.frame_dim), np.float32)
  noise = sizes.frames(_NUM_VIDEOS, size)
  return (centres[np.arange(_NUM_VIDEOS) % _CLASSES] + noise).astype(np.float16)


def _fitted(name: str, size: sizes.Size, frames: np.ndarray) -> Any:
  """The hasher of a closed form."""
  from nph_jax.data.pooled import PooledFeatures
  from nph_jax.export import bundle
  from nph_jax.models import registry

  method = registry.build(
    name,
    num_bits=_CLASSES,  # any direction more is noise, which rounding turns
    num_frames=size.num_frames,
    frame_dim=size.frame_dim,
  )
  whole = frames.astype(np.float32)
  features = PooledFeatures(
    lambda: iter([whole.mean(axis=1)]), len(frames), size.frame_dim,
    lambda: iter([whole]),
  )  # fmt: skip
  tables = method.fit_tables(features, jax.random.key(0))
  variables = method.inference_variables(*method.init(None, tables))
  return bundle.build(method, variables, None, 64, {'config': {}}).load()


def _compared(load: Callable[[], Any], frames: np.ndarray) -> dict[str, Any]:
  """How the codes of a hasher differ from those of a CPU's."""
  with jax.default_device(jax.local_devices(backend='cpu')[0]):
    expected, t = load().encode_relaxed(frames)
  differ = np.unpackbits(expected ^ load().encode_relaxed(frames)[0], axis=1)
  share = np.abs(t) / np.abs(t).max(axis=1, keepdims=True)
  largest = np.max(share, where=differ.astype(bool), initial=0)
  return {'found': float(largest), 'bits': int(differ.sum()), 'of': t.size}
