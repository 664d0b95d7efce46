"""VGG-16: 4096-D, the second fully connected layer after ReLU (fc7, `fc2`).

The paper's features, through keras.applications. Keras runs on TensorFlow
unless the environment variable KERAS_BACKEND names another.

The paper says nothing on resizing; here as VGG's own evaluation at its smallest
scale: shorter side 256, centre 224 x 224.
"""

from __future__ import annotations

import contextlib
import os
import socket
import sys
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from nph_jax import errors
from nph_jax.extraction import images

# Of ImageNet's training pictures, blue, green, red.
MEANS = (103.939, 116.779, 123.68)
_CHUNK = 25
_POLICIES = {'bfloat16': 'mixed_bfloat16', 'float32': 'float32'}
# Seconds without a byte; else a silent network is waited for without end.
_TIMEOUT = 20


class VGG16:
  """The network up to `fc2`; see backbones.Backbone."""

  feature_dim = 4096
  # bfloat16 first: half the time of float32 on the CPUs it was measured on.
  precisions = ('bfloat16', 'float32')

  def __init__(self, weights: str | None, precision: str):
    """Loads the weights, Keras's .h5 with the layers on top.

    Raises:
      UserError: they are missing, cannot be downloaded, or are no VGG-16's.
    """
    self.precision = precision
    if weights is not None:
      _check_file(weights)
    keras = _import_keras()
    with _policy(keras, _POLICIES[precision]):
      whole = _load(keras, weights)
      self._model = keras.Model(whole.input, whole.get_layer('fc2').output)

  @staticmethod
  def preprocess(frames: Sequence[np.ndarray] | np.ndarray) -> np.ndarray:
    """M of uint8 [H, W, 3] to uint8 [M, 224, 224, 3]."""
    return images.crops(frames)

  def features(self, batch: np.ndarray) -> np.ndarray:
    """uint8 [M, 224, 224, 3] to float32 [M, 4096]."""
    return images.in_chunks(self._forward, batch, _CHUNK)

  def _forward(self, pixels: np.ndarray) -> np.ndarray:
    return np.asarray(self._model.predict_on_batch(center(pixels)), np.float32)


def center(pixels: np.ndarray) -> np.ndarray:
  """uint8 RGB to float32 BGR less the means, not scaled: what Caffe fed it."""
  return pixels[..., ::-1].astype(np.float32) - np.float32(MEANS)


def _import_keras() -> Any:
  os.environ.setdefault('KERAS_BACKEND', 'tensorflow')
  os.environ.setdefault('TF_CPP_MIN_LOG_LEVEL', '3')
  with _silent():
    import keras

  return keras


@contextlib.contextmanager
def _silent() -> Iterator[None]:
  """Nothing reaches stderr: TensorFlow announces itself at any log level."""
  sys.stderr.flush()
  saved, nowhere = os.dup(2), os.open(os.devnull, os.O_WRONLY)
  os.dup2(nowhere, 2)
  try:
    yield
  finally:
    os.dup2(saved, 2)
    os.close(saved)
    os.close(nowhere)


@contextlib.contextmanager
def _policy(keras: Any, name: str) -> Iterator[None]:
  """Layers made inside compute in `name`."""
  before = keras.config.dtype_policy()
  keras.config.set_dtype_policy(name)
  try:
    yield
  finally:
    keras.config.set_dtype_policy(before)


def _load(keras: Any, weights: str | None) -> Any:
  if weights is None:
    return _download(keras)
  model = keras.applications.VGG16(weights=None)
  try:
    model.load_weights(weights)
  # Keras documents no exception for another network's file.
  except Exception as error:
    raise errors.UserError(
      f"{weights}: not the weights of a whole VGG-16; expected Keras's .h5 "
      'file of keras.applications.VGG16 with the layers on top.'
    ) from error
  return model


def _check_file(path: str) -> None:
  import h5py

  if not os.path.isfile(path):
    raise errors.UserError(f'{path}: no such file; expected weights of VGG-16.')
  if not path.endswith('.h5') or not h5py.is_hdf5(path):
    raise errors.UserError(
      f'{path}: not a readable HDF5 file; expected the weights of '
      'keras.applications.VGG16 as Keras saves them, .h5.'
    )


def _download(keras: Any) -> Any:
  """The network with the weights of ImageNet, cached where Keras does."""
  before = socket.getdefaulttimeout()
  socket.setdefaulttimeout(_TIMEOUT)
  try:
    return keras.applications.VGG16(weights='imagenet')
  # Keras raises Exception itself when a download fails.
  except Exception as error:
    raise errors.UserError(
      f'vgg16: its weights cannot be downloaded ({error}); fetch that file on '
      'a machine that can, and give it with --weights=PATH.'
    ) from error
  finally:
    socket.setdefaulttimeout(before)
