"""Pictures of a figure's videos: of their files, found by name."""

import json

import numpy as np
import pytest

from experiments import thumbnails
from nph_jax import errors
from nph_jax.data.spec import SplitFiles


def test_pictures_are_pixels_or_the_videos_of_the_rows(clip, tmp_path):
  frames = np.arange(36, dtype=np.float16).reshape(4, 9)
  found = thumbnails.of_pixels(0, frames)
  np.testing.assert_array_equal(found, np.arange(18, 27).reshape(3, 3))
  red = np.zeros((48, 64, 3), np.uint8) + np.array([250, 5, 5], np.uint8)
  clip(tmp_path / 'videos' / 'a' / 'one.avi', 5, pictures=[red] * 5)
  features = tmp_path / 'f.h5'
  (tmp_path / 'names.json').write_text(
    json.dumps({'splits': {'test': {'names': ['gone', 'one']}}})
  )
  files = SplitFiles((str(features),), (), 0)
  paths = thumbnails.paths(files, 'database', tmp_path / 'videos')
  assert paths == [None, tmp_path / 'videos' / 'a' / 'one.avi']
  manifest = tmp_path / 'f.manifest.jsonl'
  manifest.write_text('{"path": "a/one.avi"}\n{"path": "b.avi"}\n')
  assert thumbnails.paths(files, 'query', tmp_path / 'videos') == [
    tmp_path / 'videos' / 'a' / 'one.avi',
    None,
  ]
  picture = thumbnails.of_files(paths)
  assert picture(0, frames) is None and picture(5, frames) is None
  np.testing.assert_allclose(picture(1, frames).mean((0, 1)), red[0, 0], atol=9)


@pytest.mark.parametrize('text', ['', '{"splits": {}}', '[1]'])
def test_a_file_of_names_without_names_is_told(tmp_path, text):
  (tmp_path / 'names.json').write_text(text)
  files = SplitFiles((str(tmp_path / 'f.h5'),), (), 0)
  with pytest.raises(errors.UserError, match='names.json: has no names of the'):
    thumbnails.paths(files, 'query', tmp_path)
