"""Every method by name. A new one is one file and one line here."""

from __future__ import annotations

from nph_jax.models import method, nph

METHODS = {
  'nph': nph.NPH,
}


def build(
  name: str,
  *,
  num_bits: int,
  num_frames: int,
  frame_dim: int,
  model: dict,
  loss: dict,
) -> method.HashingMethod:
  """The method `name` for codes of `num_bits` and frames [M, L].

  Args:
    name: a key of METHODS.
    num_bits: K.
    num_frames: M.
    frame_dim: L.
    model: the module's fields.
    loss: fields of HashingMethod besides its module.
  """
  module = METHODS[name](
    num_bits=num_bits, num_frames=num_frames, frame_dim=frame_dim, **model
  )
  return method.HashingMethod(module, **loss)
