"""Embedded data: handwritten digits that move and bounce, made on the fly.

The task that the LSTM autoencoder of the paper's reference [34] was made for,
from the 8 x 8 digits that come with scikit-learn: nothing to download. One or
two digits to a video, so labels are multi-hot; train, query and database show
different source images.

  python -m nph_jax.main --config=configs/moving_digits.py --workdir=DIR

Every size is a value: --config.data.train.num_videos=10000.
"""

from nph_jax import configuration


def get_config(arg=''):
  """The configuration; `arg` is METHOD,bits=NUMBER, either left out."""
  config = configuration.base(arg)
  data = config.data
  data.name = 'moving_digits'
  data.num_frames = 25
  data.canvas = 9  # on a larger one, place hides the digit for longer
  data.num_labels = 10
  data.train.num_videos = 2000
  data.query.num_videos = 200
  data.database.num_videos = 1000

  config.neighborhood.num_epochs = 60
  config.train.num_epochs = 60
  config.logging.every_steps = 20
  return config
