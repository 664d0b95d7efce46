"""Any image encoder as an ONNX file, run by ONNX Runtime.

On CPUs the fastest of the runtimes measured, and the smallest
(benchmarks/README.md).
"""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Sequence
from concurrent import futures
from typing import Any

import numpy as np

from nph_jax import errors
from nph_jax.extraction import images

CPU = 'CPUExecutionProvider'
# All of a small batch's activations stay in a core's cache; 25 frames at once
# are no faster and take 300 MB more.
_CHUNK, _GPU_CHUNK = 5, 100
_TYPES = {
  'tensor(uint8)': np.uint8,
  'tensor(float)': np.float32,
  'tensor(float16)': np.float16,
}


@dataclasses.dataclass(frozen=True)
class Pixels:
  """What a network reads: (x / 255 - mean) / scale, of size x size pixels.

  The defaults are those of ImageNet; CLIP has its own.
  """

  size: int = images.CROP
  mean: tuple[float, ...] = (0.485, 0.456, 0.406)
  scale: tuple[float, ...] = (0.229, 0.224, 0.225)

  def __str__(self) -> str:
    mean, scale = (','.join(map(str, x)) for x in (self.mean, self.scale))
    return f'size={self.size}:mean={mean}:scale={scale}'

  @classmethod
  def parse(cls, text: str) -> Pixels:
    """Reads str(pixels); what is left out has its default.

    Raises:
      UserError: it is something else.
    """
    try:
      found = cls(**dict(_setting(x) for x in text.split(':') if x))
      if found.size < 1 or not (len(found.mean) == len(found.scale) == 3):
        raise ValueError
      if not np.isfinite(found.mean + found.scale).all() or 0 in found.scale:
        raise ValueError
    except (TypeError, ValueError) as error:
      raise errors.UserError(
        f'--backbone=onnx:{text}: expected a size of 1 or more, mean and '
        f'scale of one or three numbers, no scale 0, as in {cls()}.'
      ) from error
    return found


def _setting(text: str) -> tuple[str, int | tuple[float, ...]]:
  """One of Pixels by name; a single mean or scale is that of all colours."""
  name, _, value = text.partition('=')
  if name == 'size':
    return name, int(value)
  numbers = tuple(float(x) for x in value.split(','))
  return name, numbers * 3 if len(numbers) == 1 else numbers


class Model:
  """A graph in a session; see backbones.Backbone."""

  precisions = ('float32',)
  pixels = Pixels()
  feature_dim = 0

  def __init__(self, weights: str | None, precision: str, provider: str = CPU):
    """Loads the graph.

    Raises:
      UserError: ONNX Runtime or the provider is missing, or the file is, is
        damaged, or makes no features.
    """
    if weights is None:
      raise errors.UserError('--backbone=onnx needs --weights=FILE.onnx.')
    if not os.path.isfile(weights):
      raise errors.UserError(f'{weights}: no such file; expected a .onnx file.')
    self._load(weights, weights, precision, provider)

  @classmethod
  def preprocess(cls, frames: Sequence[np.ndarray] | np.ndarray) -> np.ndarray:
    """M of uint8 [H, W, 3] to uint8 [M, size, size, 3]."""
    return images.crops(frames, cls.pixels.size)

  def features(self, batch: np.ndarray) -> np.ndarray:
    """uint8 [M, size, size, 3] to float32 [M, L]."""
    return images.in_chunks(self._forward, batch, self._chunk, self._cores.map)

  def _load(
    self, name: str, model: str | bytes, precision: str, provider: str
  ) -> None:
    self.precision, self._name = precision, name
    self._session = _session(name, model, provider)
    (graph_input, *others) = self._session.get_inputs()
    outputs = [x for x in self._session.get_outputs() if len(x.shape) == 2]
    self._dtype = _TYPES.get(graph_input.type)
    size = self.pixels.size
    shape = graph_input.shape
    self._first = len(shape) == 4 and shape[1] == 3
    expected = (3, size, size) if self._first else (size, size, 3)
    if (
      others
      or not outputs
      or self._dtype is None
      or len(shape) != 4
      or any(isinstance(x, int) and x != y for x, y in zip(shape[1:], expected))
    ):
      raise self._unfit(graph_input, others)
    self._input, self._output = graph_input.name, outputs[0].name
    on_cpu = provider == CPU
    self._chunk = _CHUNK if on_cpu else _GPU_CHUNK
    if isinstance(shape[0], int):
      self._chunk = shape[0]
    # A chunk to a core: cores that share one wait for each other by spinning.
    cores = int(os.environ.get('OMP_NUM_THREADS') or os.cpu_count() or 1)
    self._cores = futures.ThreadPoolExecutor(cores if on_cpu else 1)
    self.feature_dim = outputs[0].shape[1]
    if not isinstance(self.feature_dim, int):
      black = np.zeros((1, size, size, 3), np.uint8)
      self.feature_dim = self.features(black).shape[1]

  def _unfit(self, graph_input: Any, others: Sequence[Any]) -> errors.UserError:
    size = self.pixels.size
    return errors.UserError(
      f'{self._name}: reads {len(others) + 1} inputs, the first '
      f'{graph_input.type} {graph_input.shape}, and makes '
      f'{[x.shape for x in self._session.get_outputs()]}; expected one of '
      f'[n, 3, {size}, {size}] (--size), uint8 or floating point, and an '
      'output [n, width].'
    )

  def _forward(self, pixels: np.ndarray) -> np.ndarray:
    if self._dtype != np.uint8:
      mean, scale = (
        np.float32(x) for x in (self.pixels.mean, self.pixels.scale)
      )
      pixels = (pixels / np.float32(255) - mean) / scale
    if self._first:
      pixels = np.ascontiguousarray(pixels.transpose(0, 3, 1, 2))
    fed = {self._input: pixels.astype(self._dtype, copy=False)}
    try:
      (values,) = self._session.run([self._output], fed)
    # The runtime documents no exception for a node that fails.
    except Exception as error:
      raise errors.UserError(
        f'{self._name}: fails on frames of {self.pixels.size} pixels ({error}).'
      ) from error
    return values.astype(np.float32, copy=False)


def configured(text: str) -> type[Model]:
  """The class of an ONNX file whose pixels are `text`, as Pixels.parse reads.

  Raises:
    UserError: `text` is something else.
  """
  return type('Onnx', (Model,), {'pixels': Pixels.parse(text)})


def _session(name: str, model: str | bytes, provider: str) -> Any:
  onnxruntime = errors.import_extra(
    'onnxruntime', 'video', 'networks are run by ONNX Runtime'
  )
  providers = onnxruntime.get_available_providers()
  if provider not in providers:
    raise errors.UserError(
      f'--provider={provider}: not of this ONNX Runtime, which has '
      f'{", ".join(providers)}; onnxruntime-gpu has CUDAExecutionProvider.'
    )
  options = onnxruntime.SessionOptions()
  options.intra_op_num_threads = options.inter_op_num_threads = 1
  options.log_severity_level = 4
  try:
    return onnxruntime.InferenceSession(model, options, providers=[provider])
  # Each kind of damage has its own exception, of no common class.
  except Exception as error:
    raise errors.UserError(
      f'{name}: ONNX Runtime cannot load it ({error}).'
    ) from error
