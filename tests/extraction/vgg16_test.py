"""VGG-16: what it sees by hand, what it computes against Keras, its weights."""

import os

import h5py
import numpy as np
import programs
import pytest

from nph_jax import errors
from nph_jax.extraction import backbones, vgg16


def test_sees_bgr_less_the_means():
  pixels = np.array([[[[255, 0, 10]]]], np.uint8)
  np.testing.assert_allclose(
    vgg16.center(pixels)[0, 0, 0],
    [10 - 103.939, 0 - 116.779, 255 - 123.68],
    atol=1e-4,
  )


def test_vgg16_is_keras_fc2(tmp_path, monkeypatch):
  """Random weights through a file, in both precisions."""
  monkeypatch.setattr(vgg16, '_CHUNK', 2)
  keras = vgg16._import_keras()
  keras.utils.set_random_seed(0)
  whole = keras.applications.VGG16(weights=None)
  path = str(tmp_path / 'vgg16.weights.h5')
  whole.save_weights(path)
  rng = np.random.default_rng(0)
  crops = rng.integers(0, 256, (3, 224, 224, 3), np.uint8)
  model = keras.Model(whole.input, whole.get_layer('fc2').output)
  pixels = keras.applications.vgg16.preprocess_input(crops.astype(np.float32))
  expected = model.predict_on_batch(pixels)
  assert expected.std() > 0.01
  exact = backbones.create('vgg16', path, 'float32').features(crops)
  assert exact.shape == (3, 4096) and exact.dtype == np.float32
  np.testing.assert_allclose(exact, expected, rtol=1e-3, atol=1e-4)
  rounded = backbones.create('vgg16', path)
  os.unlink(path)
  assert rounded.precision == 'bfloat16'
  found = rounded.features(crops)
  assert found.dtype == np.float32 and not np.array_equal(found, expected)
  error = np.linalg.norm(found - expected) / np.linalg.norm(expected)
  assert error < 0.03
  assert keras.config.dtype_policy().name == 'float32'


def test_vgg16_weights_that_are_none(tmp_path):
  with pytest.raises(errors.UserError, match='no such file'):
    backbones.create('vgg16', str(tmp_path / 'a.h5'))
  (tmp_path / 'a.h5').write_text('nothing')
  with pytest.raises(errors.UserError, match='not a readable HDF5 file'):
    backbones.create('vgg16', str(tmp_path / 'a.h5'))
  with h5py.File(tmp_path / 'a.h5', 'w') as file:
    file['feats'] = np.zeros(3)
  with pytest.raises(errors.UserError, match='not the weights of a whole VGG'):
    backbones.create('vgg16', str(tmp_path / 'a.h5'))


def test_vgg16_says_when_it_cannot_download(tmp_path):
  """A proxy that refuses stands for every network that is not there."""
  proxy = dict.fromkeys(('HTTPS_PROXY', 'https_proxy'), 'http://127.0.0.1:9')
  code = (
    'from nph_jax import errors; from nph_jax.extraction import backbones; '
    'errors.run_main(lambda: backbones.create("vgg16"))'
  )
  run = programs.run('-c', code, KERAS_HOME=str(tmp_path), **proxy)
  assert run.returncode == 1 and run.stderr.count('\n') == 1
  assert run.stderr.startswith('error: vgg16: its weights cannot be downloaded')
  assert '--weights=PATH' in run.stderr
