"""Initial values: Xavier (reference [46]), gate by gate."""

from __future__ import annotations

import jax
import jax.numpy as jnp
from flax import linen as nn

xavier = nn.initializers.xavier_uniform()
# PyTorch's default of linear layers.
torch = nn.initializers.variance_scaling(1 / 3, 'fan_in', 'uniform')


def per_gate(num_gates: int, initializer=xavier):
  """Initialises a kernel [in, gates * H] as `num_gates` kernels [in, H].

  The fan-out that Xavier's bound asks for is that of one gate; taken from the
  joined kernel it would be too large by the number of gates.
  """

  def init(key: jax.Array, shape: tuple[int, int], dtype=jnp.float32):
    rows, columns = shape
    keys = jax.random.split(key, num_gates)
    gates = [initializer(k, (rows, columns // num_gates), dtype) for k in keys]
    return jnp.concatenate(gates, axis=1)

  return init


def gate_bias(num_gates: int, forget_bias: float):
  """Zero bias [gates * H], but `forget_bias` in the second, forget gate's."""

  def init(key: jax.Array, shape: tuple[int], dtype=jnp.float32):
    del key
    bias = jnp.zeros((num_gates, shape[0] // num_gates), dtype)
    return bias.at[1].set(forget_bias).reshape(shape)

  return init


def recurrent(name: str):
  """The initialiser of recurrent kernels: 'xavier' or 'orthogonal' (x 1.1).

  The second is SSVH's choice; the paper says Xavier.
  """
  return {'xavier': xavier, 'orthogonal': nn.initializers.orthogonal(1.1)}[name]
