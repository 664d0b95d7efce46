"""The job on training videos alone, with labels and without."""

import json

import numpy as np
import pytest

from nph_jax import configuration, errors, pipeline
from nph_jax.export import load_hasher

N, M, L = 60, 3, 24


def files(folder):
  """Features of three kinds of video, and their labels."""
  rng = np.random.default_rng(0)
  kinds = np.arange(N) % 3
  frames = rng.normal(size=(3, 1, L))[kinds] + rng.normal(size=(N, M, L)) / 2
  np.save(folder / 'train.npy', frames.astype(np.float16))
  np.save(folder / 'labels.npy', np.eye(3, dtype=np.uint8)[kinds])
  return folder


def config(folder, **train):
  found = configuration.base('itq,bits=16')
  found.data.name = 'custom'
  found.data.source_dir = str(folder)
  found.data.train.features = 'train.npy'
  for name, value in train.items():
    found.data.train[name] = value
  configuration.check(found)
  return found


def run(folder, workdir, **train):
  pipeline.run(config(folder, **train), str(workdir), tuple(pipeline.STAGES))


def test_without_labels_there_is_a_hasher_and_nothing_evaluated(
  tmp_path, capsys
):
  workdir = tmp_path / 'run'
  run(files(tmp_path), workdir)
  out = capsys.readouterr().out
  assert 'no labels, so nothing was evaluated' in out
  assert f'--bundle={workdir}/export --out={workdir}/index' in out
  assert not (workdir / 'metrics.json').exists()
  codes = load_hasher(workdir / 'export').encode(
    np.load(tmp_path / 'train.npy')
  )
  assert len(np.unique(codes, axis=0)) > 3


def test_with_labels_each_video_is_searched_among_the_others(tmp_path, capsys):
  run(files(tmp_path), tmp_path / 'run', labels='labels.npy')
  metrics = json.loads((tmp_path / 'run' / 'metrics.json').read_text())
  assert metrics['splits'] == {'train': N, 'query': N, 'database': N}
  found = [
    row['value']
    for row in metrics['map']
    if row['exclude_self'] and row['denominator'] == 'min_rk' and row['k'] == 5
  ]
  # A third by chance.
  assert found and min(found) > 0.6
  assert 'mAP@5' in capsys.readouterr().out


def test_a_query_without_a_database_is_an_error(tmp_path):
  folder = files(tmp_path)
  broken = config(folder)
  broken.data.query.features = 'train.npy'
  with pytest.raises(errors.UserError, match='not set: --config.data.database'):
    pipeline.run(broken, str(tmp_path / 'run'), tuple(pipeline.STAGES))
  assert not (tmp_path / 'run').exists()
