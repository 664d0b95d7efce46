"""NPH begun at a closed form: a start and weights of its own, nothing more."""

from __future__ import annotations

from nph_jax.models import nph
from nph_jax.models.hashing_method import OPTIONS
from nph_jax.models.method import Entry

ENTRY = Entry(
  'NPH, tuned',
  nph.build,
  {
    **OPTIONS,
    'weights': {**OPTIONS['weights'], 'similarity': 1.0},
    'start': 'itq_moments',
    'start_videos': 4000.0,
  },
  {
    'neighborhood.features': 'second_moments',
    'train.learning_rate': 1e-4,
  },
)
