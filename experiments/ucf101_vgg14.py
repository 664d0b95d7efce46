"""ucf101_vgg14: 1,865 clips of UCF101 in 14 classes, with VGG-16 features.

  python -m nph_jax.main --config=experiments/ucf101_vgg14.py:nph,bits=64 \
    --workdir=DIR [--config.data.source_dir=FOLDER]

25 x 4096, the shape of the published sets; 1,311 videos to train, 176 queries,
378 in the database, no group of clips in two of them. FOLDER is
`../shared/data/ucf101_vgg14`, beside the checkout, unless it is given. The
training labels are for what those of ucf101_10.py are.
"""

import pathlib

from nph_jax import configuration

_CHECKOUT = pathlib.Path(__file__).resolve().parent.parent


def get_config(arg=''):
  """The configuration; `arg` is METHOD,bits=NUMBER, either left out."""
  config = configuration.base(arg)
  data = config.data
  data.source_dir = str(_CHECKOUT.parent / 'shared' / 'data' / 'ucf101_vgg14')
  files = {'train': 'train', 'query': 'query', 'database': 'test'}
  for split, name in files.items():
    data[split].features = f'ucf101_vgg14_{name}_feats.h5'
    data[split].labels = f'ucf101_vgg14_{name}_labels.mat'
  return config
