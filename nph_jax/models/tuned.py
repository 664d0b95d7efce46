"""NPH begun at the neighbours' closed form: a start, a prior and a rate."""

from __future__ import annotations

from nph_jax.models import nph
from nph_jax.models.method import Entry

ENTRY = Entry(
  'NPH, tuned',
  nph.build,
  {
    **nph.ENTRY.options,
    'start': 'itq_neighbors',
    'start_videos': 4000.0,
  },
  {
    **nph.ENTRY.settings,
    'train.learning_rate': 1e-4,
  },
)
