"""The examples do what their first lines say."""

import json

import numpy as np
import pytest

from nph_jax import errors
from nph_jax.data import moving_digits

av = pytest.importorskip('av')

from examples import moving_digit_videos as videos  # noqa: E402


def run(folder, name='moving_digits'):
  data = {
    'name': name, 'num_frames': 5, 'canvas': 12, 'database': {'num_videos': 3},
  }  # fmt: skip
  folder.mkdir()
  (folder / 'config.json').write_text(json.dumps({'data': data, 'seed': 4}))
  return str(folder)


def test_videos_show_the_digits_of_the_run(tmp_path):
  out = tmp_path / 'videos'
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
