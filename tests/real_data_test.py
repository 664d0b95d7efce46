"""The main job on real features, where they lie beside the checkout."""

import json

import digits_runs
import numpy as np
import programs
import pytest

from nph_jax.data import labels
from nph_jax.retrieval import evaluation


@pytest.mark.slow
def test_twenty_epochs_rank_at_twice_random(shared_data, tmp_path):
  folder = shared_data('ucf101_10_mini')
  files = {
    'train.features': 'train_feats.h5',
    'query.features': 'query_feats.h5',
    'query.labels': 'query_labels.mat',
    'database.features': 'test_feats.h5',
    'database.labels': 'test_labels.mat',
  }
  done = programs.run(
    '-m',
    'nph_jax.main',
    '--config=custom:bits=32',
    f'--workdir={tmp_path}',
    '--config.train.num_epochs=20',
    '--config.neighborhood.num_epochs=20',
    *(
      f'--config.data.{name}={folder / f"ucf101_10_mini_{file}"}'
      for name, file in files.items()
    ),
  )
  assert done.returncode == 0, done.stderr
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
    random.append(scored.value(20))
  assert digits_runs.map_at_20(metrics['map']) >= 2 * np.mean(random)
  graph = json.loads(
    (tmp_path / 'neighborhood' / 'neighborhood.json').read_text()
  )
  assert graph['num_nearest'] == 3 and graph['pair_density'] < 0.15
