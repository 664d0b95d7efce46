"""L of eq. 12 from what NPH returns, for this trainer and for anyone's."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import jax

from nph_jax import losses
from nph_jax.models.linear_frames import mean_squared_error

if TYPE_CHECKING:
  from nph_jax.models.nph import Outputs

# alpha 1 to 3, section 4.1
WEIGHTS = {'similarity': 0.1, 'visual': 0.8, 'neighborhood': 0.1}


def total_loss(
  outputs: Outputs,
  frames: jax.Array,
  similarity: jax.Array | None,
  weights: Mapping[str, float] = WEIGHTS,
  **constants: bool,
) -> tuple[jax.Array, dict[str, jax.Array]]:
  """L of eq. 12 over a batch, whose pairs stand for all N^2 of eq. 15.

  Args:
    outputs: of `NPH(...)` on these frames, with train=True.
    frames: v, [B, M, L].
    similarity: S in {-1, 1}, [B, B], `anchor_graph.pairwise_similarity` of the
      videos' nearest anchors; not read where its weight is 0.
    weights: alpha_1 of L_s, alpha_2 of L_vr, alpha_3 of L_nr.
    **constants: see `terms`.

  Returns:
    The loss, and its terms by name.
  """
  pairs = None
  if weights['similarity']:
    relaxed = outputs.relaxed_code
    pairs = losses.neighborhood_similarity(relaxed, relaxed, similarity)
  found = terms(outputs, frames, pairs, weights, **constants)
  return weighted(found, weights), found


def weighted(
  found: Mapping[str, jax.Array], weights: Mapping[str, float]
) -> jax.Array:
  """The sum of eq. 12; a term of weight 0 need not be there."""
  return sum(weight * found[name] for name, weight in weights.items() if weight)


def terms(
  outputs: Outputs,
  frames: jax.Array,
  pairs: jax.Array | None,
  weights: Mapping[str, float],
  *,
  quantization_stop_gradient: bool = True,
  neighborhood_stop_gradient: bool = False,
) -> dict[str, Any]:
  """L_s, L_vr and L_nr, those of them that have a weight, and |b - t|^2.

  Args:
    outputs: of the module.
    frames: v, [B, M, L].
    pairs: the first term of L_s.
    weights: see total_loss.
    quantization_stop_gradient: b is a constant in |b - t|^2. With the
      straight-through gradient in its place the term would pull at nothing
      inside [-1, 1], where both gradients cancel.
    neighborhood_stop_gradient: n_i is a constant in L_nr; the paper's n_i is
      trained through both sides.
  """
  constant = jax.lax.stop_gradient
  found = {}
  if weights['visual']:
    found['visual'] = mean_squared_error(frames, outputs.reconstruction)
  if weights['neighborhood']:
    n = outputs.neighborhood
    found['neighborhood'] = losses.neighborhood_reconstruction(
      constant(n) if neighborhood_stop_gradient else n,
      outputs.neighborhood_reconstruction,
    )
  if weights['similarity']:
    b = outputs.binary_code
    found['quantization'] = losses.quantization(
      constant(b) if quantization_stop_gradient else b, outputs.relaxed_code
    )
    found['similarity'] = pairs + found['quantization']  # eq. 15
  return found
