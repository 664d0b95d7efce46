"""Every method by name. A new one is one file and one line here."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from nph_jax import errors
from nph_jax.models import (
  ablations,
  bth,
  conmh,
  dh,
  dkph,
  itq,
  itq_moments,
  itq_neighbors,
  jtae,
  linear_code,
  mfh,
  nph,
  s5vh,
  ssth,
  ssvh,
  start,
  tuned,
  udvh,
  wsch,
)
from nph_jax.models.config import RecurrentConfig, Sizes, make, require
from nph_jax.models.method import Entry, Method

METHODS: dict[str, Entry] = {
  'nph': nph.ENTRY,
  'nph_paper': nph.PAPER,
  **ablations.ENTRIES,
  'nph_tuned': tuned.ENTRY,
  'itq': itq.ENTRY,
  'itq_moments': itq_moments.ENTRY,
  'itq_neighbors': itq_neighbors.ENTRY,
  'mfh': mfh.ENTRY,
  'dh': dh.ENTRY,
  'ssth': ssth.ENTRY,
  'jtae': jtae.ENTRY,
  'ssvh': ssvh.ENTRY,
  'udvh': udvh.ENTRY,
  'bth': bth.ENTRY,
  'dkph': dkph.ENTRY,
  'conmh': conmh.ENTRY,
  'autossvh': conmh.AUTOSSVH,
  's5vh': s5vh.ENTRY,
  'wsch': wsch.ENTRY,
}


def entry(name: str) -> Entry:
  """The method's entry; UserError if there is no such method."""
  if name not in METHODS:
    raise errors.UserError(
      f'config.method is {name!r}; choose one of {", ".join(sorted(METHODS))}.'
    )
  return METHODS[name]


def default_options(name: str) -> dict[str, Any]:
  """What may be set in config.method_options, with its defaults."""
  found = entry(name)
  return {**(start.OPTIONS if found.can_start else {}), **found.options}


def build(
  name: str,
  *,
  num_bits: int,
  num_frames: int,
  frame_dim: int,
  model: Mapping[str, Any] | None = None,
  options: Mapping[str, Any] | None = None,
) -> Method:
  """The method `name` for codes of `num_bits` and frames [M, L].

  Args:
    name: a key of METHODS.
    num_bits: K.
    num_frames: M.
    frame_dim: L.
    model: values of config.RecurrentConfig, its defaults where left out.
    options: the method's own, likewise.

  Raises:
    UserError: a value that the method cannot have.
  """
  found = entry(name)
  chosen = {**default_options(name), **(options or {})}
  sizes = Sizes(num_bits, num_frames, frame_dim)
  shared = make(RecurrentConfig, model or {})
  method = found.build(sizes, shared, chosen)
  if not chosen.get('start'):
    return method
  worth = chosen['start_videos']
  require('start_videos', worth, lambda v: v >= 0, 'not negative')
  return start.BegunMethod(method, _start(chosen['start'], sizes), worth)


def _start(name: str, sizes: Sizes) -> linear_code.LinearCode:
  """The closed form of that name; UserError if it is none."""
  if name in METHODS and not METHODS[name].can_start:
    first = METHODS[name].build(sizes, RecurrentConfig(), {})
    if isinstance(first, linear_code.LinearCode):
      return first
  raise errors.UserError(
    f'config.method_options.start is {name!r}; it has to be empty or name a '
    'closed form, such as itq_moments.'
  )
