"""What SSTH, JTAE and SSVH share: a video rebuilt thrice from its code.

In reverse order, in order, and as the mean of its frames.
"""

from __future__ import annotations

from typing import NamedTuple

import jax
import jax.numpy as jnp

from nph_jax.models.method import ModuleMethod


class Outputs(NamedTuple):
  """What the losses read.

  relaxed_code t [B, K]; reverse and forward [B, M, L], both in the order of
  the frames, M those that the method reads; mean [B, L].
  """

  relaxed_code: jax.Array
  reverse: jax.Array
  forward: jax.Array
  mean: jax.Array


def errors(outputs: Outputs, frames: jax.Array) -> dict[str, jax.Array]:
  """Mean squared errors of the three reconstructions of frames [B, M, L]."""
  frames = frames[:, : outputs.forward.shape[1]]
  return {
    'reverse': jnp.mean(jnp.square(outputs.reverse - frames)),
    'forward': jnp.mean(jnp.square(outputs.forward - frames)),
    'mean': jnp.mean(jnp.square(outputs.mean - frames.mean(axis=1))),
  }


class ReconstructionMethod(ModuleMethod):
  """A module with these outputs, trained on them alone; see method.Method.

  Its `__call__(frames, train)` returns Outputs, and the names of its decoders
  begin with DECODER; the weights are those of the terms of `errors`.
  """

  def run(self, params, stats, frames: jax.Array, axis_name: str | None):
    """The module's Outputs in training, and its updated collections."""
    return self.module.clone(axis_name=axis_name).apply(
      {'params': params, **stats}, frames, train=True, mutable=list(stats)
    )

  def loss(self, params, collections, batch, tables, key, axis_name):
    """The weighted sum of the three errors."""
    del tables, key
    outputs, stats = self.run(params, collections, batch['frames'], axis_name)
    terms = errors(outputs, batch['frames'])
    loss = sum(self.weights[name] * terms[name] for name in terms)
    return loss, (terms, stats)
