"""What a job says of a method before it trains it."""

import dataclasses

import jax
import jax.numpy as jnp
import methods
import numpy as np
import pytest

from nph_jax import errors
from nph_jax.models import registry
from nph_jax.stages import tracing

N, B, M, L, K = 40, 8, 4, 16, 8


def make(name='plain', **fields):
  return methods.make(name, K, M, L, hidden_width=8, **fields)


@pytest.mark.parametrize('name', registry.METHODS)
def test_every_method_can_be_trained_and_exported(name):
  tracing.check(make(name), B, N)


@pytest.mark.parametrize('name', registry.METHODS)
def test_tables_have_the_shapes_that_are_traced(name):
  frames = np.random.default_rng(0).normal(size=(N, M, L)).astype(np.float32)
  method = make(name)
  fitted = method.fit_tables(methods.features(frames), jax.random.key(0))
  expected = method.table_shapes(N)
  assert fitted.keys() == expected.keys()
  for table, value in fitted.items():
    if table != 'neighbors':  # as many as the data have
      assert np.shape(value) == expected[table].shape, table
    assert value.dtype == expected[table].dtype, table


@dataclasses.dataclass(frozen=True)
class Mistaken:
  """A method with one function exchanged."""

  method: object
  name: str
  function: object

  def __getattr__(self, name):
    return self.function if name == self.name else getattr(self.method, name)


def concrete(variables, frames, nearest):
  """Needs values where there are only shapes."""
  return frames[:, 0, :K] if float(frames.sum()) > 0 else frames[:, 1, :K]


def of_a_fixed_batch(variables, frames, nearest):
  return jnp.zeros((B, K))


def broken(*args, **kwargs):
  raise KeyError('no such table')


@pytest.mark.parametrize(
  ('name', 'function', 'expected'),
  [
    ('init', broken, 'cannot be begun: KeyError'),
    ('loss', broken, 'cannot be trained: KeyError'),
    ('relaxed_code', concrete, 'cannot be exported: Concretization'),
    ('relaxed_code', of_a_fixed_batch, 'cannot be exported: ValueError'),
  ],
)
def test_what_cannot_be_done_is_said(name, function, expected):
  with pytest.raises(errors.UserError, match=expected):
    tracing.check(Mistaken(make(), name, function), B, N)
