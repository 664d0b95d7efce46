"""The examples do what their first lines say."""

import json
import re

import numpy as np
import pytest

import nph_jax
from examples import moving_digit_videos as videos
from examples import own_training_loop, score_codes, train_on_array
from nph_jax import errors
from nph_jax.data import moving_digits


def test_training_on_an_array_beats_chance(tmp_path, monkeypatch, capsys):
  monkeypatch.chdir(tmp_path)
  train_on_array.main('itq', num_videos=100)
  found = re.fullmatch(r'itq: mAP@20 (\.\d+|0\.\d+)\n', capsys.readouterr().out)
  assert float(found[1]) > 0.2  # of random codes .08
  assert (tmp_path / 'digits-hasher' / 'manifest.json').is_file()


def test_codes_are_scored_by_any_protocol(capsys):
  score_codes.main(num_videos=60, num_bits=16)
  lines = capsys.readouterr().out.splitlines()
  table = [line for line in lines if line.startswith('| ')]
  assert len(table) == 2 + 2 * 2 * 2 * 2  # ranking, ties, denominator, self
  assert 0.1 < float(lines[-1].split()[-1]) < 0.9


def test_a_loop_of_ones_own_learns():
  values, scores = own_training_loop.main(
    num_videos=80, num_frames=3, num_steps=40, batch_size=40
  )
  assert np.mean(values[-5:]) < 0.8 * values[0]
  labels = moving_digits.make_videos('train', 0, 80, seed=0)[1]
  random = np.random.default_rng(0).integers(0, 256, (80, 4)).astype(np.uint8)
  chance = nph_jax.evaluate(random, labels).value(20, exclude_self=True)
  assert scores.value(20, exclude_self=True) > 1.3 * chance


def run(folder, name='moving_digits'):
  data = {
    'name': name, 'num_frames': 5, 'canvas': 12, 'database': {'num_videos': 3},
  }  # fmt: skip
  folder.mkdir()
  (folder / 'config.json').write_text(json.dumps({'data': data, 'seed': 4}))
  return str(folder)


def test_videos_show_the_digits_of_the_run(tmp_path):
  out = tmp_path / 'videos'
  av = pytest.importorskip('av')
  videos.main([f'--run={run(tmp_path / "run")}', f'--out={out}'])
  frames, labels = moving_digits.make_videos(
    'database', 0, 3, seed=4, num_frames=5, canvas=12
  )
  np.testing.assert_array_equal(np.load(out / 'features.npy'), frames)
  lines = (out / 'features.manifest.jsonl').read_text().splitlines()
  for line, pixels, present in zip(lines, frames, labels, strict=True):
    about = json.loads(line)
    assert [int(x) for x in about['labels']] == np.flatnonzero(present).tolist()
    assert len(about['frame_times']) == 5
    with av.open(str(out / about['path'])) as file:
      shown = [x.to_ndarray(format='gray') for x in file.decode(video=0)]
    assert len(shown) == 5
    for picture, row in zip(shown, pixels, strict=True):
      small = picture.reshape(12, 16, 12, 16).mean(axis=(1, 3)).ravel()
      assert np.corrcoef(small, row)[0, 1] > 0.9


def test_a_run_on_other_data_is_an_error(tmp_path):
  folder = run(tmp_path / 'run', name='fcvid')
  with pytest.raises(errors.UserError, match='not of a run on moving_digits'):
    videos.main([f'--run={folder}', f'--out={tmp_path / "videos"}'])
  with pytest.raises(errors.UserError, match='give --run the workdir'):
    videos.main([f'--run={tmp_path}', f'--out={tmp_path / "videos"}'])
  assert not (tmp_path / 'videos').exists()
