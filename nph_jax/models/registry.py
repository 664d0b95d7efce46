"""Every method by name. A new one is one file and one line here."""

from __future__ import annotations

from nph_jax.models import (
  ablations,
  dh,
  itq,
  itq_moments,
  itq_neighbors,
  jtae,
  method,
  mfh,
  ssth,
  ssvh,
  tuned,
)

# Each builds a method.Method from the arguments of `build` but its name.
METHODS = {
  **{name: ablations.of(part) for name, part in ablations.ABLATIONS.items()},
  'itq': itq.ITQ.build,
  'itq_moments': itq_moments.ITQOfMoments.build,
  'itq_neighbors': itq_neighbors.ITQOfNeighbors.build,
  'mfh': mfh.MFH.build,
  'dh': dh.build,
  'ssth': ssth.build,
  'jtae': jtae.build,
  'ssvh': ssvh.build,
  'nph_tuned': tuned.build,
}


def build(
  name: str,
  *,
  num_bits: int,
  num_frames: int,
  frame_dim: int,
  model: dict,
  loss: dict,
) -> method.Method:
  """The method `name` for codes of `num_bits` and frames [M, L].

  Args:
    name: a key of METHODS.
    num_bits: K.
    num_frames: M.
    frame_dim: L.
    model: the configuration's section of that name; each method takes what
      applies to it.
    loss: likewise.
  """
  return METHODS[name](
    num_bits=num_bits,
    num_frames=num_frames,
    frame_dim=frame_dim,
    model=model,
    loss=loss,
  )
