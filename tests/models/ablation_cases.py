"""Small ablations of random parameters, with a batch and a neighbourhood."""

import jax
import jax.numpy as jnp
import methods
import numpy as np

from nph_jax.models.config import Attention, NPHConfig

B, M, L, K, A, D, WIDTH = 6, 5, 7, 8, 3, 4, 6
ANCHORS, N, SCALE = 10, 12, 3.0


CONFIG = NPHConfig(
  memory_width=WIDTH,
  hidden_width=WIDTH,
  dropout_rate=0.0,
  attention=Attention(scale=SCALE),
)


def make(name, **fields):
  parts = {
    'memory_width': WIDTH,
    'hidden_width': WIDTH,
    'dropout_rate': 0.0,
    'attention__scale': SCALE,
  }
  return methods.make(name, K, M, L, **parts, **fields)


def neighborhood_tables(dtype=float):
  draw = np.random.default_rng(3)
  indices = [draw.permutation(ANCHORS)[:A] for _ in range(N)]
  return {
    'anchors': jnp.asarray(draw.normal(size=(ANCHORS, D)), dtype),
    'anchor_indices': jnp.asarray(np.stack(indices)),
  }


def random_state(init, *args):
  """Random parameters and zero collections of the shapes `init` makes."""
  params, collections = jax.eval_shape(init, *args)
  draw = np.random.default_rng(0)
  params = jax.tree.map(lambda x: draw.normal(size=x.shape) / 2, params)
  zeros = lambda x: np.zeros(x.shape, x.dtype)  # noqa: E731
  return params, jax.tree.map(zeros, collections)


def problem(name, **fields):
  """A method, a random state, a batch and the tables."""
  method = make(name, **fields)
  tables = neighborhood_tables() if method.needs_neighborhood else {}
  params, collections = random_state(method.init, jax.random.key(0), tables)
  draw = np.random.default_rng(1)
  frames = draw.normal(size=(B, M, L))
  batch = {'frames': frames, 'index': draw.permutation(N)[:B]}
  return method, params, collections, batch, tables
