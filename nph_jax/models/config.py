"""What methods may be told: frozen objects, whose defaults are the paper's.

No array library is imported here, so that a configuration is read at once.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

from nph_jax import errors


class Sizes(NamedTuple):
  """Of codes and videos: num_bits K, num_frames M, frame_dim L."""

  num_bits: int
  num_frames: int
  frame_dim: int


@dataclasses.dataclass(frozen=True)
class Norm:
  """Batch normalisation of a cell state, eq. 8.

  Attributes:
    momentum: share of the running average kept at each step.
    per_step: one set of statistics per frame, or one for all.
    epsilon: added to the variance.
  """

  momentum: float = 0.99
  per_step: bool = True
  epsilon: float = 1e-5


@dataclasses.dataclass(frozen=True)
class Attention:
  """Neighbourhood attention, eq. 3-4.

  Attributes:
    scale: d^k, section 4.1.
    num_heads: heads that split the memory; the paper's is one.
    residual: whether m is added to what attention returns; eq. 3 does not.
  """

  scale: float = 256.0
  num_heads: int = 1
  residual: bool = False


@dataclasses.dataclass(frozen=True)
class RecurrentConfig:
  """What all deep methods share: `config.model`.

  Attributes:
    hidden_width: H of the LSTMs whose width is not the code's, and of other
      encoders.
    forget_bias: initial bias of forget gates; the others start at 0.
    recurrent_init: of recurrent kernels: xavier, or orthogonal as in SSVH.
    norm: of the cell state, where there is any.
    sign_window: of the straight-through gradient (`hashing.sign_ste`).
    literal: scan the equations as they stand: slower, the same to rounding,
      always in float32.
    precision: float32, or bfloat16 operands with float32 sums.
  """

  hidden_width: int = 256
  forget_bias: float = 1.0
  recurrent_init: str = 'xavier'
  norm: Norm = Norm()
  sign_window: float = 1.0
  literal: bool = False
  precision: str = 'float32'


@dataclasses.dataclass(frozen=True)
class NPHConfig(RecurrentConfig):
  """The parts of NPH and of its ablations.

  Attributes:
    memory_width: Nb, the paper's b, section 4.1.
    attention: eq. 3-4.
    mlp_layers: layers of the MLP of eq. 8, ReLU between them.
    dropout_rate: on the frames as projected for the attention.

  Raises:
    UserError: a value that makes no model.
  """

  memory_width: int = 256
  attention: Attention = Attention()
  mlp_layers: int = 2
  dropout_rate: float = 0.1

  def __post_init__(self):
    for name in ('memory_width', 'mlp_layers'):
      require(name, getattr(self, name), lambda v: v > 0, 'more than zero')
    for name in ('scale', 'num_heads'):
      value = getattr(self.attention, name)
      require(f'attention.{name}', value, lambda v: v > 0, 'more than zero')
    heads = self.attention.num_heads
    require(
      'memory_width',
      self.memory_width,
      lambda v: v % heads == 0,
      f'a multiple of attention.num_heads, {heads}',
    )
    require(
      'dropout_rate', self.dropout_rate, lambda v: 0 <= v < 1, 'in [0, 1)'
    )


def require(
  name: str, value: Any, good: Callable[[Any], bool], expected: str
) -> None:
  """Raises a UserError unless `value` of a method's option is `good`."""
  if not good(value):
    raise errors.UserError(
      f'config.method_options.{name} is {value!r}; it has to be {expected}.'
    )


def fields_of(cls: type, values: Mapping[str, Any]) -> dict[str, Any]:
  """The entries of `values` that are fields of the dataclass `cls`."""
  names = {field.name for field in dataclasses.fields(cls)}
  return {name: values[name] for name in values if name in names}


def make(cls: type, values: Mapping[str, Any]) -> Any:
  """The dataclass `cls` of the entries of `values` that are its fields.

  Those that are dataclasses themselves may be given as mappings.
  """
  fields = fields_of(cls, values)
  for field in dataclasses.fields(cls):
    value = fields.get(field.name)
    nested = dataclasses.is_dataclass(field.default)
    if nested and isinstance(value, Mapping):
      fields[field.name] = make(type(field.default), value)
  return cls(**fields)
