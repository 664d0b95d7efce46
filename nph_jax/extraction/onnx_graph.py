"""Writes ONNX graphs: a chain of nodes from one input to one output.

Only what the networks here need, in protobuf's wire format; the numbers are
those of onnx.proto, https://github.com/onnx/onnx/blob/main/onnx/onnx.proto.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

_IR_VERSION, _OPSET = 8, 17
_TYPES = {'float32': 1, 'uint8': 2, 'int64': 7, 'float16': 10}
_LENGTH_DELIMITED = 2


class Graph:
  """A graph in the making."""

  def __init__(self, name: str, dtype: str, shape: Sequence[int | str]):
    """Begins with the input `name`; a dimension that is a name may vary."""
    self._input = _value_info(name, dtype, shape)
    self._nodes: list[bytes] = []
    self._constants: list[bytes] = []

  def constant(self, value: Any) -> str:
    """Returns the name of an array in the graph."""
    array = np.asarray(value)
    name = f'constant{len(self._constants)}'
    self._constants.append(
      b''.join(_field(1, size) for size in array.shape)
      + _field(2, _TYPES[array.dtype.name])
      + _field(8, name)
      + _field(9, array.tobytes())
    )
    return name

  def node(self, kind: str, *inputs: str, **attributes: Any) -> str:
    """Returns the name of the output of a new node, of operator `kind`."""
    name = f'node{len(self._nodes)}'
    self._nodes.append(
      b''.join(_field(1, value) for value in inputs)
      + _field(2, name)
      + _field(4, kind)
      + b''.join(_field(5, _attribute(*x)) for x in attributes.items())
    )
    return name

  def model(self, output: str, shape: Sequence[int | str]) -> bytes:
    """Returns the file, whose output is `output`, float32."""
    graph = (
      b''.join(_field(1, node) for node in self._nodes)
      + _field(2, 'graph')
      + b''.join(_field(5, tensor) for tensor in self._constants)
      + _field(11, self._input)
      + _field(12, _value_info(output, 'float32', shape))
    )
    opset = _field(1, '') + _field(2, _OPSET)
    return _field(1, _IR_VERSION) + _field(7, graph) + _field(8, opset)


def _value_info(name: str, dtype: str, shape: Sequence[int | str]) -> bytes:
  dimensions = b''.join(
    _field(1, _field(1 if isinstance(size, int) else 2, size)) for size in shape
  )
  tensor = _field(1, _TYPES[dtype]) + _field(2, dimensions)
  return _field(1, name) + _field(2, _field(1, tensor))


def _attribute(name: str, value: int | str | Sequence[int]) -> bytes:
  if isinstance(value, int):
    content = _field(3, value) + _field(20, 2)
  elif isinstance(value, str):
    content = _field(4, value) + _field(20, 3)
  else:
    content = b''.join(_field(8, x) for x in value) + _field(20, 7)
  return _field(1, name) + content


def _field(number: int, value: int | str | bytes) -> bytes:
  if isinstance(value, int):
    return _varint(number << 3) + _varint(value)
  content = value.encode() if isinstance(value, str) else value
  head = _varint(number << 3 | _LENGTH_DELIMITED)
  return head + _varint(len(content)) + content


def _varint(value: int) -> bytes:
  groups = []
  while value > 127:
    groups.append(value & 127 | 128)
    value >>= 7
  return bytes([*groups, value])
