"""Anyone's own files.

  python -m nph_jax.main --config=configs/custom.py --workdir=DIR \
    --config.data.train.features=train.h5 \
    --config.data.query.features=query.h5 \
    --config.data.query.labels=query_labels.mat \
    --config.data.database.features=database.h5 \
    --config.data.database.labels=database_labels.mat

features  .h5 with `feats` (videos, frames, width), or .npy of that shape;
          several shards are separated by commas
labels    multi-hot (videos, labels), .mat with `labels`, `re_label` or
          `q_label`, or .npy; those of the training videos may be left out,
          learning never reads them

Without query and database, the training videos are searched among themselves
where they have labels, and nothing is evaluated where they have none. Where the
queries are in the database (found by equal frames), the printed mAP leaves each
out of its own ranking; report.md and metrics.json have both.

The defaults work from 100 training videos up. Batch size and anchors follow
their number N unless set: a power of two from 8 to 128 with four batches to an
epoch; from 10,000 videos on the paper's 2000 anchors, below that as many as
give S a density of 5 %, or 1 % with nph_paper (report.md says which).
Small sets need steps, not epochs: training takes 1,000 updates or 100 epochs,
whichever is more.
"""

from nph_jax import configuration


def get_config(arg=''):
  """The configuration; `arg` is METHOD,bits=NUMBER, either left out."""
  config = configuration.base(arg)
  config.neighborhood.num_epochs = 0
  config.neighborhood.num_steps = 1000
  config.train.num_epochs = 100  # or the steps, whichever is more
  config.train.num_steps = 1000
  config.eval.exclude_self = True  # where there is one
  return config
