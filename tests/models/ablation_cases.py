"""Small ablations of random parameters, with a batch and a neighbourhood."""

import jax
import jax.numpy as jnp
import numpy as np

from nph_jax import configuration
from nph_jax.models import registry
from nph_jax.models.encoder import Encoder
from nph_jax.models.method import fields_of

B, M, L, K, A, D, WIDTH = 6, 5, 7, 8, 3, 4, 6
ANCHORS, N, SCALE = 10, 12, 3.0


def model_fields():
  model = configuration.base().model.to_dict()
  model['attention']['scale'] = SCALE
  sizes = {'memory_width': WIDTH, 'hidden_width': WIDTH, 'dropout_rate': 0.0}
  return model | sizes


def encoder_fields():
  return fields_of(Encoder, model_fields())


def make(name, loss=None, **fields):
  return registry.build(
    name,
    num_bits=K,
    num_frames=M,
    frame_dim=L,
    model=model_fields() | fields,
    loss=configuration.base().loss.to_dict() | (loss or {}),
  )


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


def problem(name, loss=None, **fields):
  """A method, a random state, a batch and the tables."""
  method = make(name, loss, **fields)
  tables = neighborhood_tables() if method.needs_neighborhood else {}
  params, collections = random_state(method.init, jax.random.key(0), tables)
  draw = np.random.default_rng(1)
  frames = draw.normal(size=(B, M, L))
  batch = {'frames': frames, 'index': draw.permutation(N)[:B]}
  return method, params, collections, batch, tables
