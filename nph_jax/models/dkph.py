"""Dual-stream Knowledge-Preserving Hashing (DKPH, Li et al., ECCV 2022).

BTH with two streams: b = sgn(W vec(E) + c), of the whole video, and a real
vector u_t = W' E_t + c' of each frame. A frame is rebuilt by a linear map of
b + u_t, so that the code need not tell what a frame alone shows. It is of a
fixed number of frames.

  L = MSE + .9 (2 |E_mean - n|^2 / D + .1 triplet) + .11 mean (s - b . b' / K)^2

triplet = mean max(|E_mean - w n| - |E_mean - w n'| + .5, 0) with n' the
partner's nearest anchor and w = 1 for a pair at s = -1, else 0, where nothing
is left to learn of it. All else is BTH's, with what differs there from the
published code; masks as well, of which the text at hand does not speak.
"""

from __future__ import annotations

import functools

import jax
import jax.numpy as jnp

from nph_jax import collectives
from nph_jax.models import bth, hashing
from nph_jax.models.method import Entry

_TRIPLET, _MARGIN = 0.1, 0.5
OPTIONS = {
  **bth.OPTIONS,
  'weights': {'reconstruction': 1.0, 'similarity': 0.11, 'anchor': 0.9},
}


class DKPH(bth.BTH):
  """See the file's docstring."""

  def setup_code(self):
    """Hash layer, the frames' stream and the decoder."""
    super().setup_code()
    self.decode_stream = self._dense(self.num_bits)

  def relaxed(self, encoded: jax.Array) -> tuple[jax.Array, jax.Array]:
    """Of E [B, M, H] the relaxed code t and b [B, K]."""
    t = self.hash_layer(encoded.reshape(encoded.shape[0], -1))
    return t, hashing.sign_ste(t, self.config.sign_window)

  def code(self, encoded: jax.Array) -> tuple[jax.Array, jax.Array]:
    """b [B, K], and b + u_t [B, M, K]."""
    binary = self.relaxed(encoded)[1]
    return binary, binary[:, None] + self.decode_stream(encoded)


class DKPHMethod(bth.PartnerMethod):
  """BTH's terms, and the triplet among those of the anchor."""

  def terms(self, outputs, frames, partners, nearest, axis_name):
    """See bth.PartnerMethod."""
    terms = super().terms(outputs, frames, partners, nearest, axis_name)
    theirs = collectives.gather(nearest, axis_name)[partners.place]
    triplets = triplet(outputs.anchor, nearest, theirs, partners.similarity)
    terms['anchor'] += _TRIPLET * triplets
    return terms


def triplet(
  mean: jax.Array, nearest: jax.Array, theirs: jax.Array, similarity: jax.Array
) -> jax.Array:
  """See the file's docstring.

  Args:
    mean: E_mean, [B, D].
    nearest: n, [B, D].
    theirs: n', [B, D].
    similarity: s, [B].
  """
  weight = (similarity < 0).astype(mean.dtype)[:, None]

  def distance(anchor):
    squares = jnp.sum(jnp.square(mean - weight * anchor), axis=1)
    return jnp.sqrt(squares + 1e-12)  # a root of zero has no gradient

  return jnp.mean(
    jnp.maximum(distance(nearest) - distance(theirs) + _MARGIN, 0)
  )


ENTRY = Entry(
  'DKPH',
  functools.partial(bth.build, module=DKPH, method=DKPHMethod),
  OPTIONS,
  bth.SETTINGS,
)
