"""Every network by name. A new one is one file and one line here."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar, Protocol

import numpy as np

from nph_jax import errors
from nph_jax.extraction import efficientnet_lite0, onnx_model, vgg16


class Backbone(Protocol):
  """A network that sees one frame at a time.

  The class is cheap to import: constructing it imports and loads the network,
  `preprocess` needs neither.

  Attributes:
    feature_dim: L; 0 in a class whose files say it.
    precisions: what it can compute in, the default first.
    precision: what it computes in.
  """

  feature_dim: int
  precisions: ClassVar[tuple[str, ...]]
  precision: str

  def __init__(self, weights: str | None, precision: str): ...

  @staticmethod
  def preprocess(frames: Sequence[np.ndarray] | np.ndarray) -> np.ndarray:
    """Frames, M of uint8 [H, W, 3], as `features` reads them.

    Returns [M, h, w, 3] uint8, so that little goes from process to process;
    scaling is the network's part.
    """
    ...

  def features(self, batch: np.ndarray) -> np.ndarray:
    """Returns [M, L] float32, from any number of preprocessed frames.

    The same batch gives the same bits.
    """
    ...


DEFAULT = 'efficientnet_lite0'
BACKBONES: dict[str, type[Backbone]] = {
  DEFAULT: efficientnet_lite0.EfficientNetLite0,
  'vgg16': vgg16.VGG16,
  'onnx': onnx_model.Model,
}


def named(backbone: str, **pixels: str | None) -> str:
  """The name of a network with what it reads, as manifests have it.

  Args:
    backbone: of BACKBONES.
    pixels: size, mean and scale of an ONNX file, where they are given.

  Raises:
    UserError: they are no numbers, or given for another network.
  """
  given = [f'{name}={value}' for name, value in pixels.items() if value]
  if backbone == 'onnx':
    return f'onnx:{onnx_model.Pixels.parse(":".join(given))}'
  if given:
    raise errors.UserError(f'--{given[0]} needs --backbone=onnx.')
  return backbone


def find(name: str) -> type[Backbone]:
  """The class of backbone `name`; for onnx as in `onnx:size=224`.

  Raises:
    UserError: there is no such backbone.
  """
  kind, _, pixels = name.partition(':')
  if kind == 'onnx':
    return onnx_model.configured(pixels)
  if name not in BACKBONES:
    raise errors.UserError(
      f'--backbone={name}: no such network; expected one of '
      f'{", ".join(BACKBONES)}.'
    )
  return BACKBONES[name]


def create(
  name: str,
  weights: str | None = None,
  precision: str | None = None,
  provider: str = onnx_model.CPU,
) -> Backbone:
  """Loads backbone `name`.

  Args:
    name: as `find` reads it.
    weights: file of its weights; None for those of ImageNet.
    precision: one of its `precisions`; None for the first.
    provider: what computes, of ONNX Runtime; Keras finds its own devices.

  Raises:
    UserError: no such network or precision, a package is missing, or the
      weights are missing, damaged or another network's.
  """
  backbone = find(name)
  precision = check_precision(name, precision)
  if provider == onnx_model.CPU:
    return backbone(weights, precision)
  if not issubclass(backbone, onnx_model.Model):
    raise errors.UserError(
      f'--provider={provider}: {name} is not run by ONNX Runtime; leave it out.'
    )
  return backbone(weights, precision, provider)


def feature_dim(name: str, weights: str | None) -> int:
  """L of backbone `name`; loads it only where its file alone says that.

  Raises:
    UserError: as `create`.
  """
  return find(name).feature_dim or create(name, weights).feature_dim


def check_precision(name: str, precision: str | None) -> str:
  """What backbone `name` computes in when asked for `precision`.

  Raises:
    UserError: it cannot.
  """
  precisions = find(name).precisions
  if precision is None:
    return precisions[0]
  if precision not in precisions:
    raise errors.UserError(
      f'--precision={precision}: {name} computes in {" or ".join(precisions)}.'
    )
  return precision
