"""A hasher of NPH at toy widths, as training leaves one, and its parts."""

import dataclasses

import jax
import jax.numpy as jnp
import methods
import numpy as np
import pytest

from nph_jax import configuration
from nph_jax.export import bundle
from nph_jax.models.autoencoder import Autoencoder

NUM_FRAMES, FRAME_DIM, NUM_BITS, BLOCK_SIZE, NUM_NEAREST = 3, 9, 16, 8, 2
WIDTH = 12  # of autoencoder and memory alike


@dataclasses.dataclass
class Toy:
  """What bundle.build was given, and what it returned."""

  method: object
  variables: dict
  autoencoder: object
  autoencoder_params: dict
  anchors: np.ndarray
  bundle: bundle.Bundle
  hasher: object

  def frames(self, number=21, seed=0):
    shape = (number, NUM_FRAMES, FRAME_DIM)
    values = np.random.default_rng(seed).standard_normal(shape)
    return values.astype(np.float16)


def _random(init, *args, seed):
  """Values of the shapes that `init` makes; faster than to run it.

  Centred, but for those that only make sense positive.
  """
  rng = np.random.default_rng(seed)

  def values(path, leaf):
    low = 0.1 if path[-1].key in ('variance', 'weight') else -0.5
    return jnp.asarray(rng.uniform(low, 0.5, leaf.shape), leaf.dtype)

  return jax.tree_util.tree_map_with_path(values, jax.eval_shape(init, *args))


@pytest.fixture(scope='session')
def toy():
  config = configuration.base('bits=16')
  anchors = np.random.default_rng(0).uniform(-0.3, 0.3, (11, WIDTH))
  anchors = anchors.astype(np.float32)
  autoencoder = Autoencoder(WIDTH, NUM_FRAMES, FRAME_DIM)
  empty = jnp.zeros((1, NUM_FRAMES, FRAME_DIM))
  key = jax.random.key(0)
  autoencoder_params = _random(autoencoder.init, key, empty, seed=1)['params']
  method = methods.make(
    'nph_paper',
    NUM_BITS,
    NUM_FRAMES,
    FRAME_DIM,
    hidden_width=10,
    memory_width=WIDTH,
  )
  tables = {
    'anchors': jnp.asarray(anchors),
    'anchor_indices': jnp.zeros((1, NUM_NEAREST), int),
  }
  variables = method.inference_variables(
    *_random(method.init, key, tables, seed=2)
  )
  made = bundle.build(
    method,
    variables,
    bundle.Neighborhood(
      autoencoder, autoencoder_params, tables['anchors'], NUM_NEAREST
    ),
    BLOCK_SIZE,
    {
      'dataset': 'toy',
      'method': 'nph',
      'step': 5,
      'config': config.to_dict(),
    },
  )
  return Toy(
    method,
    variables,
    autoencoder,
    autoencoder_params,
    anchors,
    made,
    made.load(),
  )
