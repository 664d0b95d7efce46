"""The learning rate of every step, as the optimiser uses it."""

import types

import numpy as np
import pytest

from nph_jax import configuration
from nph_jax.stages.job import Job

STEPS, PER_EPOCH, RATE, FLOOR = 40, 5, 0.1, 0.02


def updates(**values):
  """What 45 steps take off a parameter of 2 whose gradient is always 1.

  Adam's step is the learning rate then.
  """
  config = configuration.base()
  config.train.update(learning_rate=RATE, decay_floor=FLOOR, **values)
  run = types.SimpleNamespace(num_steps=STEPS, steps_per_epoch=PER_EPOCH)
  optimizer = Job.optimizer.fget(types.SimpleNamespace(config=config, run=run))
  params, found = np.full(1, 2.0), []
  state = optimizer.init(params)
  for _ in range(STEPS + 5):
    change, state = optimizer.update(np.ones(1), state, params)
    found.append(-float(change[0]))
  return found


def of_epoch(epoch):
  return FLOOR + (RATE - FLOOR) * (1 + np.cos(np.pi * min(epoch / 8, 1))) / 2


@pytest.mark.parametrize(
  ('values', 'rate'),
  [
    ({}, lambda step: RATE),
    (
      {'decay_rate': 0.5, 'decay_epochs': 2},
      lambda step: max(RATE * 0.5 ** (step // 10), FLOOR),
    ),
    (
      {'decay_rate': 0.5, 'decay_steps': 7, 'decay_epochs': 2},
      lambda step: max(RATE * 0.5 ** (step // 7), FLOOR),
    ),
    ({'cosine': True}, lambda step: of_epoch(step // PER_EPOCH)),
    ({'weight_decay': 0.3}, lambda step: RATE * (1 + 0.3 * 2)),
  ],
)
def test_each_step_has_its_learning_rate(values, rate):
  expected = [rate(step) for step in range(STEPS + 5)]
  np.testing.assert_allclose(updates(**values), expected, rtol=1e-4)
