"""Methods at a test's sizes, options and shared fields given side by side."""

import numpy as np

from nph_jax import trees
from nph_jax.data.pooled import PooledFeatures
from nph_jax.models import registry
from nph_jax.models.config import RecurrentConfig, fields_of

# Of methods whose own sizes would take a test too long.
SMALL = {
  'num_layers': 2,
  'num_heads': 2,
  'decoder_width': 8,
  'decoder_layers': 1,
  'decoder_heads': 2,
  'cluster_warmup': 0,
  'clusters': (4, 12),
  'num_clusters': 12,
  'first_epochs': 0,
  'first_ratio': 0.5,
}


def features(frames):
  """What a method fits its tables to: frames [N, M, L], read in two halves."""
  half = len(frames) // 2
  parts = frames[:half], frames[half:]
  return PooledFeatures(
    lambda: (part.mean(axis=1) for part in parts),
    len(frames),
    frames.shape[-1],
    lambda: iter(parts),
  )


def anchors(method, num_videos):
  """Tables of a made-up neighbourhood, where the method needs one."""
  if not method.needs_neighborhood:
    return {}
  draw = np.random.default_rng(3)
  indices = [draw.permutation(12)[:5] for _ in range(num_videos)]
  return {
    'anchors': draw.normal(size=(12, 9)).astype(np.float32),
    'anchor_indices': np.stack(indices).astype(np.int32),
  }


def make(name, num_bits, num_frames, frame_dim, **fields):
  """The method; `fields` of config.model or of its own options.

  A field of a nested option has its names joined by two underscores.
  """
  shared = fields_of(RecurrentConfig, fields)
  options = trees.flatten(registry.default_options(name), '__')
  options.update({k: v for k, v in fields.items() if k in options})
  return registry.build(
    name,
    num_bits=num_bits,
    num_frames=num_frames,
    frame_dim=frame_dim,
    model=shared,
    options=trees.nest(trees.flatten(options, '__'), '__'),
  )
