"""NPH begun at the neighbours' closed form: a start and a prior, no more."""

from __future__ import annotations

from nph_jax.models import nph
from nph_jax.models.method import Entry

ENTRY = Entry(
  'NPH, tuned',
  nph.build,
  {
    **nph.ENTRY.options,
    'start': 'itq_neighbors',
    'start_videos': 100.0,
  },
  nph.ENTRY.settings,
)
