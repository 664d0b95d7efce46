"""NPH on ucf101_10 at 32 bits, three seeds, beside two reference rankings.

  python experiments/first_real_run.py --data=DIR --out=runs/ucf101_10

DIR holds ucf101_10_{train,query,test}_feats.h5 and the labels. Each seed is
the main job with `configs/custom.py` and its defaults, continued where it was
cut. The references go through the same evaluator: a random code of 32 bits, and
the cosine between mean-pooled features, centred on the training mean. Writes
experiments/results/first_real_run.json and prints the table of
experiments/README.md.
"""

import argparse
import json
import pathlib
import subprocess
import sys
import time

import h5py
import numpy as np

from nph_jax import atomic
from nph_jax.data import labels
from nph_jax.retrieval import evaluation

SEEDS = (0, 1, 2)
RESULTS = pathlib.Path(__file__).parent / 'results' / 'first_real_run.json'


def train(data, workdir, seed, extra):
  """Runs the main job; returns its metrics and the seconds it took."""
  files = {
    'train.features': 'train_feats.h5',
    'query.features': 'query_feats.h5',
    'query.labels': 'query_labels.mat',
    'database.features': 'test_feats.h5',
    'database.labels': 'test_labels.mat',
  }
  start = time.perf_counter()
  subprocess.run(
    [
      sys.executable,
      '-m',
      'nph_jax.main',
      '--config=configs/custom.py:nph,bits=32',
      f'--workdir={workdir}',
      f'--config.seed={seed}',
      *(
        f'--config.data.{name}={data / f"ucf101_10_{file}"}'
        for name, file in files.items()
      ),
      *extra,
    ],
    check=True,
    stdout=subprocess.DEVNULL,
  )
  metrics = json.loads((workdir / 'metrics.json').read_text())
  return metrics['map'], time.perf_counter() - start


def references(data):
  """mAP rows of the random code, three seeds, and of the pooled cosine."""
  split = lambda name: h5py.File(data / f'ucf101_10_{name}_feats.h5')  # noqa: E731
  pooled = {
    name: np.asarray(split(name)['feats'], np.float32).mean(axis=1)
    for name in ('train', 'query', 'test')
  }
  query, database = (
    labels.read_labels([str(data / f'ucf101_10_{name}_labels.mat')])
    for name in ('query', 'test')
  )
  centre = pooled['train'].mean(axis=0)
  cosine = evaluation.evaluate_vectors(
    pooled['query'] - centre, query, pooled['test'] - centre, database
  )
  rows = []
  for seed in SEEDS:
    rng = np.random.default_rng(seed)
    codes = [rng.integers(0, 256, (len(x), 4), 'u1') for x in (query, database)]
    rows.append(
      evaluation.evaluate_codes(codes[0], query, codes[1], database).map
    )
  return {'random code': rows, 'pooled cosine': [cosine.map]}


def table(methods):
  """Mean and standard deviation of mAP@K (min_rk, tie-expected)."""
  ks = (5, 20, 60, 100)
  lines = [
    '| | ' + ' | '.join(f'mAP@{k}' for k in ks) + ' |',
    '|---|' + '---|' * len(ks),
  ]
  for name, runs in methods.items():
    cells = []
    for k in ks:
      values = [
        row['value']
        for run in runs
        for row in run
        if row['k'] == k
        and row['denominator'] == 'min_rk'
        and row['ties'] == 'expected'
        and not row['exclude_self']
      ]
      spread = f' +- {np.std(values):.3f}' if len(values) > 1 else ''
      cells.append(f'{np.mean(values):.3f}{spread}')
    lines.append(f'| {name} | ' + ' | '.join(cells) + ' |')
  return '\n'.join(lines)


def main():
  parser = argparse.ArgumentParser(allow_abbrev=False)
  parser.add_argument('--data', type=pathlib.Path, required=True)
  parser.add_argument('--out', type=pathlib.Path, required=True)
  options, extra = parser.parse_known_args()
  runs, seconds = [], []
  for seed in SEEDS:
    rows, took = train(options.data, options.out / f'seed{seed}', seed, extra)
    runs.append(rows)
    seconds.append(took)
  methods = {**references(options.data), 'NPH, 32 bits': runs}
  print(table(methods))
  result = {'methods': methods, 'seconds': seconds, 'overrides': extra}
  atomic.write_json(RESULTS, result)


if __name__ == '__main__':
  main()
