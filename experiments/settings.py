"""What the experiments run: sizes, lengths, methods, bits and seeds.

Everything that decides cost is here. Lengths are in steps and the same for all
methods; what is not set here is as in nph_jax/configuration.py.
"""

SEEDS = (0, 1, 2)
BITS = (8, 16, 32, 64)
FIRST_BITS = 32  # every method; the others only for METHODS_ALL_BITS
METHODS_ALL_BITS = (
  'nph', 'nph_paper', 'nph_tuned', 'itq', 'itq_moments', 'itq_neighbors',
  'ssth', 'ssvh', 'plain', 'selfatt',
)  # fmt: skip

# Rows for orientation, not methods: random codes, and the cosine between
# mean-pooled features less the training mean, in real numbers.
REFERENCES = ('random', 'cosine')
RANDOM_DRAWS = 20

# The summary's mean is over these, at this K.
SUMMARY_BITS = (16, 32, 64)
SUMMARY_K = 20
# The README's few rows.
HEADLINE_METHODS = (
  'nph', 'nph_paper', 'nph_tuned', 'itq', 'itq_moments', 'itq_neighbors',
  'ssth', 'jtae', 'ssvh', 'cosine',
)  # fmt: skip

# Up to so many queries and database videos together, all are also ranked
# against all.
ALL_AGAINST_ALL = 1000

_EVERYWHERE = {
  'export.block_size': 128,
  'checkpoint.every_steps': 250,
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

# neighbors
NEIGHBORS_DATASETS = ('ucf101_vgg14', 'ucf101_10')
NEIGHBORS_METHODS = ('itq', 'itq_moments', 'itq_neighbors', 'nph', 'nph_tuned')

# figure4_pr
PR_METHODS = ('nph_tuned', 'nph_paper', 'ssvh', 'jtae', 'ssth', 'itq')
PR_BITS = (16, 32, 64)

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

# anchors_sweep: training videos N (0: all there are), anchors n, nearest a.
SWEEP_METHOD, SWEEP_BITS = 'nph_paper', 32
SWEEP = {
  'moving_digits': {
    'videos': (2500, 10_000),
    'anchors': (25, 100, 500, 2000),
    'nearest': 3,
  },
  'ucf101_10': {'videos': (0,), 'anchors': (20, 50, 100, 200), 'nearest': 1},
}
SWEEP_OTHERWISE = {
  'videos': (0,),
  'anchors': (500, 1000, 2000, 4000),
  'nearest': 3,
}

# figure5_examples
EXAMPLE_METHODS = ('nph_tuned', 'ssvh')
EXAMPLE_BITS = 64
EXAMPLE_QUERIES = 4

# refinement: rounds after the first training
REFINEMENT_METHODS, REFINEMENT_BITS = ('nph_paper',), (32,)
REFINEMENT_ROUNDS = 2

# reranking; R = 0 is Hamming distance alone
RERANKING_DEPTHS = (0, 20, 50, 100, 200)
RERANKING_METHODS, RERANKING_BITS = ('itq', 'nph_paper', 'nph_tuned'), (32, 64)
