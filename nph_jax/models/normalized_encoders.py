"""Plain and FullCNN with batch normalisation, as eq. 8 gives it to NPH's cell.

Beyond the paper, whose ablations change two things at once: SelfAtt has that
normalisation, Plain and FullCNN have none. With it alone Plain makes up what
SelfAtt is ahead of it where videos are few.
"""

from __future__ import annotations

import dataclasses
import functools

import jax
import jax.numpy as jnp
from flax import linen as nn

from nph_jax.models import initializers, normalization
from nph_jax.models.convolutional_encoder import (
  NUM_LAYERS,
  TemporalConvolution,
)
from nph_jax.models.encoder import Encoded, Encoder
from nph_jax.models.lstm import zero_state
from nph_jax.models.precision import matmul
from nph_jax.models.recurrence import frames_first, recurrent_scan


class NormalizedLSTMEncoder(Encoder):
  """Plain's LSTM with c = BN(f c + i tanh(g)); its last h is the video."""

  @nn.compact
  def __call__(
    self, frames: jax.Array, neighborhood: jax.Array | None, train: bool
  ) -> Encoded:
    """Reads frames [B, M, L] alone; see Encoder."""
    del neighborhood
    config = self.config
    width, per_gate = config.hidden_width, initializers.per_gate
    kernel = self.param(
      'input_kernel', per_gate(4), (frames.shape[-1], 4 * width)
    )
    recurrent = self.param(
      'recurrent_kernel',
      per_gate(4, initializers.recurrent(config.recurrent_init)),
      (width, 4 * width),
    )
    bias = self.param(
      'bias', initializers.gate_bias(4, 1, config.forget_bias), (4 * width,)
    )
    running = normalization.RunningMoments(
      self.num_frames, width, config.norm, name='norm'
    )
    step = functools.partial(
      _step,
      epsilon=config.norm.epsilon,
      train=train,
      axis_name=self.axis_name,
    )
    (_, hidden), moments = recurrent_scan(
      step,
      config.precision,
      recurrent,
      tuple(zero_state(frames.shape[0], width, frames.dtype)),
      frames_first(matmul(frames, kernel, config.precision) + bias),
      running.parameters(),
    )
    if train:
      running.update(*moments)
    return Encoded(hidden)


def _step(carry, moments, linear, *, epsilon, train, axis_name):
  i, f, g, o = jnp.split(linear, 4, axis=-1)
  cell, used = normalization.normalize_step(
    nn.sigmoid(f) * carry[0] + nn.sigmoid(i) * jnp.tanh(g),
    moments,
    epsilon,
    train,
    axis_name,
  )
  return (cell, nn.sigmoid(o) * jnp.tanh(cell)), used


class NormalizedConvolutionalEncoder(Encoder):
  """FullCNN with each convolution normalised before its ReLU.

  Over videos and frames together: a convolution is the same at every frame.
  """

  @nn.compact
  def __call__(
    self, frames: jax.Array, neighborhood: jax.Array | None, train: bool
  ) -> Encoded:
    """Reads frames [B, M, L] alone; see Encoder."""
    del neighborhood
    width = self.config.hidden_width
    norm = dataclasses.replace(self.config.norm, per_step=False)
    for layer in range(NUM_LAYERS):
      convolution = TemporalConvolution(
        width, self.config.precision, False, name=f'convolution_{layer}'
      )
      running = normalization.RunningMoments(
        1, width, norm, name=f'norm_{layer}'
      )
      rows = convolution(frames)
      normed, used = normalization.normalize_step(
        rows.reshape(-1, width),
        jax.tree.map(lambda x: x[0], running.parameters()),
        norm.epsilon,
        train,
        self.axis_name,
      )
      if train:
        running.update(*(x[None] for x in used))
      frames = nn.relu(normed).reshape(rows.shape)
    return Encoded(frames.mean(axis=1))
