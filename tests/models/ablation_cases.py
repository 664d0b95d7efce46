"""Small ablations of random parameters, with a batch and a neighbourhood."""

import basics
import jax
import jax.numpy as jnp
import methods
import numpy as np

B, M, L, K, A, D, WIDTH = 6, 5, 7, 8, 3, 4, 6
ANCHORS, N, SCALE = 10, 12, 3.0


def make(name, num_frames=M, **fields):
  widths = {'memory_width': WIDTH, 'hidden_width': WIDTH}
  parts = {'dropout_rate': 0.0, 'attention__scale': SCALE, **widths}
  return methods.make(name, K, num_frames, L, **parts, **fields)


def neighborhood_tables():
  draw = np.random.default_rng(3)
  indices = [draw.permutation(ANCHORS)[:A] for _ in range(N)]
  return {
    'anchors': jnp.asarray(draw.normal(size=(ANCHORS, D))),
    'anchor_indices': jnp.asarray(np.stack(indices)),
  }


def problem(name, **fields):
  """A method, a random state, a batch and the tables."""
  method = make(name, **fields)
  tables = neighborhood_tables() if method.needs_neighborhood else {}
  params, collections = basics.state(method.init, jax.random.key(0), tables)
  draw = np.random.default_rng(1)
  frames = draw.normal(size=(B, method.num_frames, L))
  batch = {'frames': frames, 'index': draw.permutation(N)[:B]}
  return method, params, collections, batch, tables
