"""The job on training videos alone, with labels and without."""

import json

import h5py
import numpy as np
import pytest
import scipy.io

from nph_jax import config_files, configuration, errors, pipeline
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


def test_evaluation_before_training_is_an_error(tmp_path):
  found = config(files(tmp_path), labels='labels.npy')
  with pytest.raises(errors.UserError, match='run the stage train first'):
    pipeline.run(found, str(tmp_path / 'run'), ('evaluate',))
  assert not (tmp_path / 'run' / 'tables.npz').exists()


def test_more_bits_than_the_frames_are_wide_stop_before_all(tmp_path):
  found = config(files(tmp_path))
  found.num_bits = 32
  with pytest.raises(errors.UserError, match='ask this method for 24 bits'):
    pipeline.run(found, str(tmp_path / 'run'), tuple(pipeline.STAGES))
  assert not (tmp_path / 'run').exists()


def test_a_published_set_runs_on_files_of_its_names(tmp_path):
  """Of ActivityNet's, with fewer and narrower videos; then for longer."""
  found = config_files.load('activitynet', 'dh,bits=8')
  found.data.source_dir, found.data.feature_dim = str(tmp_path), 8
  rng = np.random.default_rng(0)
  for name, key, count in (
    ('train', '', 40), ('query', 'q_label', 12), ('test', 're_label', 20)
  ):  # fmt: skip
    labels = rng.integers(0, 4, count)
    frames = np.eye(4, 8)[labels][:, None] + rng.random((count, 30, 8))
    with h5py.File(tmp_path / f'{name}_feats.h5', 'w') as file:
      file['feats'] = frames.astype(np.float32)
    if key:
      multi_hot = {key: np.eye(200, dtype=np.uint8)[labels]}
      scipy.io.savemat(tmp_path / f'{key}.mat', multi_hot)
  workdir = tmp_path / 'run'
  for epochs in (2, 3):
    found.train.num_epochs = epochs
    pipeline.run(found, str(workdir), tuple(pipeline.STAGES))
  metrics = json.loads((workdir / 'metrics.json').read_text())
  assert metrics['splits'] == {'train': 40, 'query': 12, 'database': 20}
  assert {row['k'] for row in metrics['map']} == {5, 10, 20}  # of 20 videos
  log = (workdir / 'logs' / 'dh' / 'metrics.jsonl').read_text().splitlines()
  assert [json.loads(line)['step'] for line in log] == [10, 15]
