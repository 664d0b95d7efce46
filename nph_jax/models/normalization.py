"""Batch normalisation of the cell state in eq. 8, as pure functions.

The statistics belong to one time step each (SSTH and SSVH keep them so), or to
all steps together. A scan over frames carries neither well, so the recurrence
normalises with statistics that it is handed and returns those of the batch;
the running ones are kept here, outside the scan.
"""

from __future__ import annotations

import functools
from collections.abc import Mapping

import jax
import jax.numpy as jnp
from flax import linen as nn

from nph_jax import collectives
from nph_jax.models.config import Norm


def batch_moments(
  x: jax.Array, axis_name: str | None
) -> tuple[jax.Array, jax.Array]:
  """Mean and variance [H] of x [B, H] over the batch of all devices.

  Two passes, the second around the global mean: the one-pass form loses the
  variance of features with a large mean in float32.
  """
  mean = collectives.mean(x.mean(axis=0), axis_name)
  squares = jnp.square(x - mean).mean(axis=0)
  return mean, collectives.mean(squares, axis_name)


def normalize_step(
  x: jax.Array,
  moments: Mapping[str, jax.Array],
  epsilon: float,
  train: bool,
  axis_name: str | None,
) -> tuple[jax.Array, tuple[jax.Array, jax.Array]]:
  """BN of one time step's x [B, H], and the mean and variance [H] it took.

  Args:
    x: the cell state.
    moments: gamma, beta and the running mean and variance, [H] each.
    epsilon: added to the variance.
    train: take the batch's statistics, not the running ones.
    axis_name: devices' axis under pmap.
  """
  gamma, beta = moments['gamma'], moments['beta']
  if train:
    return _normalize_batch(x, gamma, beta, epsilon, axis_name)
  used = moments['mean'], moments['variance']
  return _scaled(x, gamma, beta, used, epsilon), used


def _scaled(x, gamma, beta, used, epsilon):
  mean, variance = used
  return (x - mean) * (gamma * jax.lax.rsqrt(variance + epsilon)) + beta


@functools.partial(jax.custom_vjp, nondiff_argnums=(3, 4))
def _normalize_batch(x, gamma, beta, epsilon, axis_name):
  """BN by the batch's own moments, which it returns too, without gradients.

  Its gradient with respect to x needs two sums over the batch alone, those
  that beta and gamma need too (Ioffe and Szegedy 2015, section 3).
  """
  return _forward(x, gamma, beta, epsilon, axis_name)[0]


def _forward(x, gamma, beta, epsilon, axis_name):
  used = batch_moments(x, axis_name)
  return (_scaled(x, gamma, beta, used, epsilon), used), (x, gamma, used)


def _backward(epsilon, axis_name, residuals, cotangents):
  x, gamma, (mean, variance) = residuals
  gradient, _ = cotangents
  scale = jax.lax.rsqrt(variance + epsilon)
  normal = (x - mean) * scale
  of_beta, of_gamma = gradient.sum(axis=0), (gradient * normal).sum(axis=0)
  constant, slope = (
    collectives.mean(y / len(x), axis_name) for y in (of_beta, of_gamma)
  )
  of_x = gamma * scale * (gradient - constant - slope * normal)
  return of_x, of_gamma, of_beta


_normalize_batch.defvjp(_forward, _backward)


class RunningMoments(nn.Module):
  """gamma, beta and running statistics of the cell state, [M, H].

  The running average starts at weight zero and is divided by the weight it
  has gathered, as Adam does: a momentum of 0.99 would else need some 500
  steps to forget its initial value, longer than training on a small set.

  Attributes:
    num_frames: M.
    width: H.
    config: momentum and per_step.
  """

  num_frames: int
  width: int
  config: Norm = Norm()

  def setup(self):
    shape = (self.num_frames if self.config.per_step else 1, self.width)
    self.gamma = self.param('gamma', nn.initializers.ones, shape)
    self.beta = self.param('beta', nn.initializers.zeros, shape)
    zeros = lambda shape: jnp.zeros(shape, self.gamma.dtype)  # noqa: E731
    self.mean = self.variable('batch_stats', 'mean', zeros, shape)
    self.variance = self.variable('batch_stats', 'variance', zeros, shape)
    self.weight = self.variable('batch_stats', 'weight', zeros, ())

  def parameters(self) -> dict[str, jax.Array]:
    """gamma, beta and the running mean and variance, each [M, H]."""
    weight = jnp.maximum(self.weight.value, jnp.finfo(self.gamma.dtype).tiny)
    unseen = self.weight.value == 0
    values = {
      'gamma': self.gamma,
      'beta': self.beta,
      'mean': self.mean.value / weight,
      'variance': jnp.where(unseen, 1, self.variance.value / weight),
    }
    shape = (self.num_frames, self.width)
    return {k: jnp.broadcast_to(v, shape) for k, v in values.items()}

  def update(self, mean: jax.Array, variance: jax.Array) -> None:
    """Takes the batch's statistics [M, H] into the running ones."""
    if not self.config.per_step:
      mean, variance = (
        mean.mean(0, keepdims=True),
        variance.mean(0, keepdims=True),
      )
    keep = self.config.momentum
    self.mean.value = keep * self.mean.value + (1 - keep) * mean
    self.variance.value = keep * self.variance.value + (1 - keep) * variance
    self.weight.value = keep * self.weight.value + (1 - keep)
