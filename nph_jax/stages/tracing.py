"""Whether a method can be trained and exported, told before it is trained.

Loss, encoder and export are traced with shapes alone: nothing is fitted,
compiled or run. What a mistake in a method would else cost is a training.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

import jax
import jax.numpy as jnp

from nph_jax import errors
from nph_jax.export import bundle
from nph_jax.models.method import Method

# Of the neighbourhood, whose sizes the data decide; any do.
_ANCHORS, _NEAREST, _WIDTH = 4, 2, 3


def check(method: Method, batch_size: int, num_train: int) -> None:
  """Raises a UserError for what would stop training or export later on.

  Args:
    method: of the configuration.
    batch_size: B.
    num_train: N.
  """
  if method.needs_neighborhood:
    shapes = {
      'anchors': _floats(_ANCHORS, _WIDTH),
      'anchor_indices': _rows(num_train, _NEAREST),
    }
  else:
    shapes = {}
  tables = {**shapes, **method.table_shapes(num_train)}
  key = jax.eval_shape(lambda: jax.random.key(0))
  with _telling('begun'):
    params, collections = jax.eval_shape(method.init, key, tables)
  if not method.is_closed_form:
    frames = _floats(batch_size, method.num_frames, method.frame_dim)
    batch = {'frames': frames, 'index': _rows(batch_size)}
    with _telling('trained'):
      jax.eval_shape(
        lambda *args: method.loss(*args, axis_name=None),
        params, collections, batch, tables, key,
      )  # fmt: skip
  with _telling('exported'):
    variables = jax.eval_shape(method.inference_variables, params, collections)
    bundle.trace(method, variables, (_NEAREST, _WIDTH))


def _floats(*shape: int) -> jax.ShapeDtypeStruct:
  return jax.ShapeDtypeStruct(shape, jnp.float32)


def _rows(*shape: int) -> jax.ShapeDtypeStruct:
  return jax.ShapeDtypeStruct(shape, jnp.int32)


@contextlib.contextmanager
def _telling(done: str) -> Iterator[None]:
  """A mistake in a method becomes a sentence, its traceback the cause."""
  try:
    yield
  except errors.UserError:
    raise
  except Exception as error:  # of anyone's method
    text = ' '.join(str(error).split())[:300]
    raise errors.UserError(
      f'config.method: cannot be {done}: {type(error).__name__}: {text}'
    ) from error
