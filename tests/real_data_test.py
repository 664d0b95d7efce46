"""The main job on real features, where they lie beside the checkout."""

import json
import pathlib
import subprocess
import sys

import numpy as np

from nph_jax.data import labels
from nph_jax.retrieval import evaluation

CONFIG = pathlib.Path(__file__).parent.parent / 'configs' / 'custom.py'


PROTOCOL = {
  'ranking': 'hamming',
  'denominator': 'min_rk',
  'ties': 'expected',
  'exclude_self': False,
}


def map_at(rows, k):
  (value,) = (
    row['value']
    for row in rows
    if row['k'] == k and PROTOCOL.items() <= row.items()
  )
  return value


def test_twenty_epochs_rank_at_twice_random(shared_data, tmp_path):
  folder = shared_data('ucf101_10_mini')
  files = {
    'train.features': 'train_feats.h5',
    'query.features': 'query_feats.h5',
    'query.labels': 'query_labels.mat',
    'database.features': 'test_feats.h5',
    'database.labels': 'test_labels.mat',
  }
  subprocess.run(
    [
      sys.executable,
      '-m',
      'nph_jax.main',
      f'--config={CONFIG}:bits=32',
      f'--workdir={tmp_path}',
      '--config.train.num_epochs=20',
      '--config.neighborhood.num_epochs=20',
      *(
        f'--config.data.{name}={folder / f"ucf101_10_mini_{file}"}'
        for name, file in files.items()
      ),
    ],
    check=True,
    capture_output=True,
  )
  metrics = json.loads((tmp_path / 'metrics.json').read_text())
  assert metrics['splits'] == {'train': 100, 'query': 20, 'database': 50}
  query, database = (
    labels.read_labels([str(folder / f'ucf101_10_mini_{name}_labels.mat')])
    for name in ('query', 'test')
  )
  random = []
  for seed in range(20):
    rng = np.random.default_rng(seed)
    codes = [rng.integers(0, 256, (len(x), 4), 'u1') for x in (query, database)]
    scored = evaluation.evaluate_codes(codes[0], query, codes[1], database)
    random.append(map_at(scored.map, 20))
  assert map_at(metrics['map'], 20) >= 2 * np.mean(random)
  graph = json.loads(
    (tmp_path / 'neighborhood' / 'neighborhood.json').read_text()
  )
  assert graph['num_nearest'] == 3 and graph['pair_density'] < 0.15
