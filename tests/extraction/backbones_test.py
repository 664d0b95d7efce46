"""The networks: names, pictures and batches."""

import numpy as np
import pytest

from nph_jax import errors
from nph_jax.extraction import (
  backbones,
  images,
)


def test_registry():
  for name, backbone in backbones.BACKBONES.items():
    assert backbones.check_precision(name, None) == backbone.precisions[0]
  with pytest.raises(
    errors.UserError, match='expected one of efficientnet_lite0'
  ):
    backbones.create('resnet')
  with pytest.raises(errors.UserError, match='computes in float32'):
    backbones.create('efficientnet_lite0', None, 'bfloat16')


def test_crop_is_the_centre():
  pytest.importorskip('PIL')
  frame = np.zeros((256, 300, 3), np.uint8)  # shorter side 256: not resized
  frame[..., 0] = np.arange(256)[:, None]
  frame[..., 1] = np.arange(300) % 256
  crop = images.crops([frame])[0]
  np.testing.assert_array_equal(crop, frame[16:240, 38:262])


@pytest.mark.parametrize('size', [(240, 320), (320, 240), (64, 64), (700, 999)])
def test_crop_of_any_size(size):
  pytest.importorskip('PIL')
  columns = np.linspace(0, 255, size[1])
  frame = np.broadcast_to(columns[:, None], (*size, 3)).astype(np.uint8)
  crop = images.crops([frame, frame[:, ::-1]])
  assert crop.shape == (2, 224, 224, 3) and crop.dtype == np.uint8
  middle = crop[0, 112, 111:113].mean()
  assert middle == pytest.approx(127.5, abs=1.5)
  # The crop spans 224/256 of the shorter side.
  spanned = 255 * 224 / 256 * min(size) / size[1]
  assert np.ptp(crop[0, 112, :, 0].astype(int)) == pytest.approx(spanned, abs=3)


def test_strips_are_refused():
  pytest.importorskip('PIL')
  with pytest.raises(errors.UserError, match='5000 x 2'):
    images.crops([np.zeros((2, 5000, 3), np.uint8)])


@pytest.mark.parametrize('number', [1, 4, 5, 11])
def test_chunks_are_of_one_size(number):
  shapes = []

  def double(chunk):
    shapes.append(chunk.shape)
    return 2 * chunk

  batch = np.arange(3 * number, dtype=np.float32).reshape(number, 3)
  np.testing.assert_array_equal(images.in_chunks(double, batch, 5), 2 * batch)
  assert set(shapes) == {(5, 3)}
