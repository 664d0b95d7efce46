"""DH: deep hashing (Liong et al., CVPR 2015), its form without labels.

Three layers h = tanh(W h + c) on the centred feature; the code is the sign of
the last, B = sgn(H). Minimised, over all N training videos,

  J = |B - H|^2 / 2 - lambda_1 / (2 N) tr(H H^T)
      + lambda_2 / 2 sum_m |W_m W_m^T - I|^2
      + lambda_3 / 2 sum_m (|W_m|^2 + |c_m|^2)

with lambda = 100, 0.001, 0.001. Here the loss is J / N, its first two terms
means over the batch: what a batch of sums would make of lambda_1 depends on the
batch size.

Widths are the published ones, 60-30-16, 80-50-32 and 100-80-64; for another K
they are (K + 40)-(K + 16)-K, and never above L. The first layer starts at the
principal directions, the others at the first rows of the identity, c at zero.

Interpreted: a video is its mean frame (linear_code); after centring it is
divided by one number, so that the first layer's inputs to tanh have variance 1
on average at the start: unscaled, fc7's principal components would all lie
where tanh is flat. B is a constant in the gradient. Adam as for all methods;
the original's is plain gradient descent.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from nph_jax.data.pooled import PooledFeatures
from nph_jax.models import hashing, linear_code
from nph_jax.models.method import Entry, PooledMethod, float_tables

VARIANCE, ORTHOGONALITY, DECAY = 100.0, 0.001, 0.001  # lambda 1 to 3
_PUBLISHED = {16: (60, 30), 32: (80, 50), 64: (100, 80)}
INPUT = 'input'  # the collection of mean and scale


class DeepHashing(PooledMethod):
  """Three tanh layers on the mean frame."""

  @property
  def widths(self) -> tuple[int, int, int]:
    """Of the three layers."""
    hidden = _PUBLISHED.get(
      self.num_bits, (self.num_bits + 40, self.num_bits + 16)
    )
    first, second = (min(width, self.frame_dim) for width in hidden)
    return first, second, self.num_bits

  def fit_tables(
    self, features: PooledFeatures, key: jax.Array
  ) -> dict[str, np.ndarray]:
    """mean [L], scale, the first layer [L, width] and N."""
    del key
    directions, variances = linear_code.principal_directions(
      features, self.widths[0]
    )
    return {
      'mean': features.mean.astype(np.float32),
      'scale': np.float32(np.sqrt(variances.mean())),
      'directions': directions.astype(np.float32),
      'num_videos': np.float32(features.num_videos),
    }

  def table_shapes(self, num_videos: int) -> dict[str, jax.ShapeDtypeStruct]:
    """See fit_tables."""
    del num_videos
    dim = self.frame_dim
    directions = dim, self.widths[0]
    return float_tables(
      mean=(dim,), scale=(), directions=directions, num_videos=()
    )

  def init(self, key: jax.Array, tables: Mapping[str, jax.Array]):
    """Weights [in, out] and biases of the layers, mean and scale; no chance."""
    del key
    first, second, last = self.widths
    kernels = (
      tables['directions'],
      jnp.eye(first, second),
      jnp.eye(second, last),
    )
    params = {
      f'layer_{m}': {'kernel': kernel, 'bias': jnp.zeros(kernel.shape[1])}
      for m, kernel in enumerate(kernels)
    }
    return params, {INPUT: {k: tables[k] for k in ('mean', 'scale')}}

  def loss(self, params, collections, batch, tables, key, axis_name):
    """J / N on this device's part of the batch; see method.Method."""
    del key, axis_name
    outputs = _outputs(params, collections[INPUT], batch['frames'])
    binary = jax.lax.stop_gradient(hashing.sign_ste(outputs))
    per_video = 1 / tables['num_videos']
    kernels = [layer['kernel'] for layer in params.values()]
    skewness = sum(map(_non_orthogonality, kernels))
    size = sum(jnp.sum(jnp.square(x)) for x in jax.tree.leaves(params))
    terms = {
      'quantization': _mean_square(binary - outputs) / 2,
      'variance': -VARIANCE / 2 * _mean_square(outputs) * per_video,
      'orthogonality': ORTHOGONALITY / 2 * skewness * per_video,
      'decay': DECAY / 2 * size * per_video,
    }
    return sum(terms.values()), (terms, collections)

  def inference_variables(self, params, collections) -> dict[str, Any]:
    """Parameters, mean and scale."""
    return {'params': params, INPUT: collections[INPUT]}

  def relaxed_code(self, variables, frames, nearest) -> jax.Array:
    """H [B, K] of frames [B, M, L]."""
    del nearest
    return _outputs(variables['params'], variables[INPUT], frames)


ENTRY = Entry('DH', DeepHashing.build, can_start=False)


def _outputs(params, statistics, frames: jax.Array) -> jax.Array:
  """H [B, K]."""
  hidden = jnp.mean(frames, axis=1) - statistics['mean']
  hidden = hidden / statistics['scale']
  for m in range(len(params)):
    layer = params[f'layer_{m}']
    hidden = jnp.tanh(hidden @ layer['kernel'] + layer['bias'])
  return hidden


def _mean_square(rows: jax.Array) -> jax.Array:
  """The mean over videos of |row|^2."""
  return jnp.mean(jnp.sum(jnp.square(rows), axis=1))


def _non_orthogonality(kernel: jax.Array) -> jax.Array:
  """|W W^T - I|^2 for W = kernel^T."""
  products = kernel.T @ kernel
  return jnp.sum(jnp.square(products - jnp.eye(len(products))))
