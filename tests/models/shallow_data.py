"""Pooled features made up for the shallow methods."""

import methods
import numpy as np

from nph_jax.models.config import Sizes


def features(videos):
  """Pooled features of videos [N, L]."""
  return methods.features(videos[:, None])


def clusters(num_videos=90, width=12, seed=0):
  """Videos [N, L] float32 in six groups, variance falling along the width."""
  rng = np.random.default_rng(seed)
  centres = rng.standard_normal((6, width)) * np.linspace(2, 0.2, width)
  noise = rng.standard_normal((num_videos, width)) * np.linspace(1, 0.1, width)
  return (3 + centres[np.arange(num_videos) % 6] + noise).astype(np.float32)


def as_frames(videos, num_frames=3, seed=0):
  """Frames [N, M, L] float32 whose mean is `videos`."""
  rng = np.random.default_rng(seed)
  frames = rng.standard_normal((len(videos), num_frames, videos.shape[1]))
  frames += videos[:, None] - frames.mean(axis=1, keepdims=True)
  return frames.astype(np.float32)


def build(builder, num_bits=8, width=12):
  return builder(Sizes(num_bits, 3, width), None, {})
