"""What the experiments run: sizes, lengths, methods, bits and seeds.

Everything that decides cost is here; what is not set here is as in
nph_jax/configuration.py.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

SEEDS = (0, 1, 2)
BITS = (16, 32, 64)
# At all lengths with all seeds. Every other one runs at the first bits with the
# first seed, and the ablations at ABLATION_BITS.
MAIN_METHODS = (
  'nph', 'nph_tuned', 'itq', 'itq_moments', 'itq_neighbors', 'ssvh', 'bth',
  'conmh', 'conmh_begun', 's5vh', 'wsch',
)  # fmt: skip
FIRST_BITS = 32

# Rows beside the registry's: a method of it, a title, and what differs.
VARIANTS = {
  'conmh_begun': (
    'conmh',
    'ConMH, begun at ITQ of neighbours',
    {
      'method_options.start': 'itq_neighbors',
      'method_options.start_videos': 100.0,  # as nph_tuned
    },
  ),
}

# Rows for orientation, not methods: random codes, and the cosine between
# mean-pooled features less the training mean, in real numbers.
REFERENCES = ('random', 'cosine')
RANDOM_DRAWS = 20

SUMMARY_K = 20  # of the tables that are read first
# The README's few rows.
HEADLINE_METHODS = (
  *MAIN_METHODS, 'autossvh', 'nph_paper', 'plain', 'plain_bn', 'selfatt',
  'cosine',
)  # fmt: skip
# Codes whose bits have a lower mean entropy are called collapsed.
COLLAPSED_ENTROPY = 0.2

# Up to so many queries and database videos together, all are also ranked
# against all.
ALL_AGAINST_ALL = 1000

_EVERYWHERE = {
  'export.block_size': 128,
  'checkpoint.every_steps': 50,
  'checkpoint.keep': 1,
  'logging.every_steps': 50,
  'model.precision': 'bfloat16',
}

# By the name of the config file, in the order of the tables; other data sets
# run as their config says.
# Widths are the paper's. README.md says how the rest was chosen.
DATASETS = {
  'ucf101_vgg14': {
    'config': 'experiments/ucf101_vgg14.py',
    'values': {
      **_EVERYWHERE,
      'neighborhood.num_steps': 600,
      'train.num_steps': 200,
    },
  },
  'ucf101_10': {
    'config': 'experiments/ucf101_10.py',
    'values': {
      **_EVERYWHERE,
      'neighborhood.num_steps': 500,
      'train.num_steps': 300,
    },
  },
  'moving_digits': {
    'config': 'configs/moving_digits.py',
    'values': {
      **_EVERYWHERE,
      'data.num_frames': 10,
      'data.train.num_videos': 10_000,
      'neighborhood.num_anchors': 100,
      'neighborhood.num_nearest': 3,
      'neighborhood.num_steps': 1500,
      'train.num_steps': 600,
    },
  },
}

# The rest of a method's values on all of these data sets. y is the neighbours',
# as nph's, where its authors train a network for it.
_NEIGHBORS = {
  'neighborhood.features': 'neighbors',
  'neighborhood.width': 64,
}
# Half the batch of their authors: twice the steps of the same time.
_SMALL = {'train.batch_size': 64}
METHOD_VALUES = {
  'bth': _NEIGHBORS,
  'dkph': _NEIGHBORS,
  **dict.fromkeys(('conmh', 'conmh_begun', 'autossvh', 's5vh', 'wsch'), _SMALL),
}
# By data set and method, as results/lengths.md has it, and as many steps or
# fewer on the other two; the data set's steps where there is none.
EPOCHS = {
  'ucf101_vgg14': {
    'bth': 50,
    'ssvh': 60,
    's5vh': 2,
    'conmh': 16,
    'conmh_begun': 1,
    'autossvh': 16,
    'wsch': 6,
    'dkph': 50,
  },
  'ucf101_10': {
    'bth': 100,
    's5vh': 6,
    'conmh': 30,
    'conmh_begun': 3,
    'autossvh': 6,
    'wsch': 20,
    'dkph': 100,
  },
  'moving_digits': {
    'bth': 5,
    's5vh': 1,
    'conmh': 1,
    'conmh_begun': 1,
    'autossvh': 1,
    'wsch': 1,
    'dkph': 5,
  },
}
# A first part of the training, a seventh of its epochs as its authors have it:
# 50 of 350 (S5VH, AutoSSVH), 100 of 700 (WSCH).
_FIRST_PART = {
  's5vh': 'method_options.cluster_warmup',
  'autossvh': 'method_options.cluster_warmup',
  'wsch': 'method_options.first_epochs',
}


def trained_for(method: str, epochs: int) -> dict[str, Any]:
  """The values of a training of so many epochs."""
  first = _FIRST_PART.get(method)
  part = {first: max(1, round(epochs / 7))} if first else {}
  return {'train.num_epochs': epochs, 'train.num_steps': 0, **part}


def of_methods(dataset: str) -> dict[str, Mapping[str, Any]]:
  """What single methods set otherwise on a data set of DATASETS.

  Nothing on others, whose files of configs/ have the published settings.
  """
  if dataset not in DATASETS:
    return {}
  epochs = EPOCHS.get(dataset, {})
  return {
    method: {
      **METHOD_VALUES.get(method, {}),
      **(trained_for(method, epochs[method]) if method in epochs else {}),
    }
    for method in {*METHOD_VALUES, *epochs}
  }


# lengths: epochs to try
LENGTHS_DATASETS = ('ucf101_vgg14',)
LENGTHS = {
  'bth': (10, 50),
  'conmh_begun': (1, 4),
  'ssvh': (20, 60),
  'dkph': (10, 50),
  's5vh': (2, 5),
  'conmh': (1, 4, 16),
  'autossvh': (2, 4, 16),
  'wsch': (3, 6, 12),
}

# figure4_pr
PR_METHODS = ('nph_tuned', 'nph_paper', 'ssvh', 'jtae', 'ssth', 'itq')

# transfer
TRANSFER_METHODS = (
  'ssth', 'jtae', 'ssvh', 'nph_paper', 'nph_tuned', 'itq', 'itq_moments',
)  # fmt: skip
TRANSFER_BITS = (32, 64)
TRANSFER_QUERIES = 1000  # at most, as in the paper

# table3_ablation, in the paper's order
ABLATIONS = (
  'fullcnn', 'plain', 'selfatt', 'neibatt', 'selfatt_ls', 'neibcat',
  'nph_minus', 'nph_paper',
)  # fmt: skip
ABLATION_BITS = (32, 64)

# figure5_examples
EXAMPLE_METHODS = ('nph_tuned', 'ssvh')
EXAMPLE_BITS = 64
EXAMPLE_QUERIES = 4
