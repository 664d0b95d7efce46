"""What training changes, and what makes the optimiser."""

from __future__ import annotations

import functools
from typing import Any

import flax.struct
import jax
import jax.numpy as jnp
import optax


@flax.struct.dataclass
class TrainState:
  """Everything a checkpoint has to hold besides the data position.

  step counts the updates done; collections are the module's variables that
  are not trained (statistics of the normalisation, a bank of codes).
  """

  step: jax.Array
  params: Any
  collections: Any
  opt_state: optax.OptState


def initial(
  method: Any,
  optimizer: optax.GradientTransformation,
  key: jax.Array,
  tables: dict[str, jax.Array],
) -> TrainState:
  """The state before the first step; pure, to be traced."""
  params, collections = method.init(key, tables)
  step = jnp.zeros((), jnp.int32)
  return TrainState(step, params, collections, optimizer.init(params))


def create(
  method: Any,
  optimizer: optax.GradientTransformation,
  key: jax.Array,
  tables: dict[str, jax.Array],
) -> TrainState:
  """`initial` as one program."""
  # It runs once: to optimise it would take a CPU longer than it saves.
  is_cpu = jax.default_backend() == 'cpu'
  options = {'xla_backend_optimization_level': 0} if is_cpu else None
  program = functools.partial(initial, method, optimizer)
  return jax.jit(program, compiler_options=options)(key, tables)


def adam(
  learning_rate: float | optax.Schedule,
  beta1: float,
  decay_rate: float = 1.0,
  decay_steps: int = 0,
  floor: float = 0.0,
  weight_decay: float = 0.0,
) -> optax.GradientTransformation:
  """Adam as in section 4.1; its "momentum" is read as beta1.

  Args:
    learning_rate: at the start, or as a function of the step.
    beta1: decay of the first moment.
    decay_rate: factor on the learning rate every `decay_steps`; the paper
      names no decay, so by default there is none.
    decay_steps: 0 for none.
    floor: the learning rate stops falling here.
    weight_decay: of AdamW; 0 for none.
  """
  schedule: Any = learning_rate
  if decay_steps:
    schedule = optax.exponential_decay(
      learning_rate, decay_steps, decay_rate, staircase=True, end_value=floor
    )
  if weight_decay:
    return optax.adamw(schedule, b1=beta1, weight_decay=weight_decay)
  return optax.adam(schedule, b1=beta1)


def cosine(
  learning_rate: float, floor: float, num_steps: int, steps_per_epoch: int
) -> optax.Schedule:
  """From learning_rate to floor over half a cosine, one value an epoch."""
  epochs = max(num_steps / steps_per_epoch, 1)

  def schedule(step: jax.Array) -> jax.Array:
    done = jnp.minimum(step // steps_per_epoch / epochs, 1)
    share = (1 + jnp.cos(jnp.pi * done)) / 2
    return floor + (learning_rate - floor) * share

  return schedule
