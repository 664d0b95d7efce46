"""ucf101_10: 739 clips of UCF101 in 10 classes of body motion.

  python -m nph_jax.main --config=experiments/ucf101_10.py:nph,bits=64 \
    --workdir=DIR [--config.data.source_dir=FOLDER]

25 x 1280 EfficientNet-Lite0 features; 440 videos to train, 80 queries, 219 in
the database, no scene in two of them. FOLDER is `../shared/data/ucf101_10`,
beside the checkout, unless it is given. The training labels are never learned
from; they tell which videos the transfer protocol holds out.
"""

import pathlib

from nph_jax import configuration

_CHECKOUT = pathlib.Path(__file__).resolve().parent.parent


def get_config(arg=''):
  """The configuration; `arg` is METHOD,bits=NUMBER, either left out."""
  config = configuration.base(arg)
  data = config.data
  data.source_dir = str(_CHECKOUT.parent / 'shared' / 'data' / 'ucf101_10')
  files = {'train': 'train', 'query': 'query', 'database': 'test'}
  for split, name in files.items():
    data[split].features = f'ucf101_10_{name}_feats.h5'
    data[split].labels = f'ucf101_10_{name}_labels.mat'
  return config
