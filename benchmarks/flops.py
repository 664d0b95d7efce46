"""FLOPs and bytes of a training step, counted by hand, product by product.

Counted are matrix products alone, a multiplication and an addition as two; all
else of a step is some per cent. A product x w runs once forward and once for
each of the gradients of x and w that is wanted: neither frames nor anchors have
one.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from benchmarks.sizes import NUM_NEAREST, WIDTH, Size

_ADAM_ARRAYS = 7  # parameter, both moments and gradient read, three written
_GATES, _LSTM_GATES, _MEMORY = 3 * WIDTH, 4 * WIDTH, 3 * WIDTH


class Product(NamedTuple):
  """[rows, inner] @ [inner, columns], `passes` times in a step."""

  name: str
  rows: int
  inner: int
  columns: int
  passes: int = 3

  @property
  def flops(self) -> int:
    """Multiplications and additions of all passes."""
    return 2 * self.rows * self.inner * self.columns * self.passes

  def traffic(self, operand: int) -> int:
    """Bytes moved: operands of `operand` bytes a value, a float32 result.

    The passes of a product read and write the same three shapes in turn; here
    each counts as the first.
    """
    read = self.rows * self.inner + self.inner * self.columns
    return self.passes * (operand * read + 4 * self.rows * self.columns)


def folded_step(size: Size) -> list[Product]:
  """The products of the default step, `models.fused`."""
  rows = size.num_frames * size.batch
  dim, later = size.frame_dim, rows - size.batch
  return [
    *_shared(size),
    Product('decoder: first input', size.batch, dim, _LSTM_GATES),
    # The first hidden state is a constant.
    Product('decoder: first state', size.batch, WIDTH, _LSTM_GATES, passes=2),
    Product('decoder: fold', WIDTH, dim, _LSTM_GATES),
    Product('decoder: folded bias', 1, dim, _LSTM_GATES),
    Product('decoder: recurrence', later, WIDTH, _LSTM_GATES),
    # The error of the frames without the frames, `models.linear_frames`.
    Product('error: frames', rows, dim, WIDTH, passes=2),
    Product('error: states', WIDTH, rows, WIDTH),
    Product('error: outputs', WIDTH, dim, WIDTH),
    Product('error: bias', 1, dim, WIDTH),
  ]


def literal_step(size: Size) -> list[Product]:
  """The products of the scan of the equations as they stand."""
  rows = size.num_frames * size.batch
  return [
    *_shared(size),
    Product('attention: scores', rows, WIDTH, 2),
    Product('attention: read', rows, 2, WIDTH),
    Product('decoder: inputs', rows, size.frame_dim, _LSTM_GATES),
    Product('decoder: recurrence', rows, WIDTH, _LSTM_GATES),
    Product('decoder: outputs', rows, WIDTH, size.frame_dim),
  ]


def _shared(size: Size) -> list[Product]:
  batch, dim, bits = size.batch, size.frame_dim, size.num_bits
  rows = size.num_frames * batch
  return [
    Product('neighborhood', batch, NUM_NEAREST * WIDTH, WIDTH, passes=2),
    Product('encoder: frames', rows, dim, WIDTH + _GATES, passes=2),
    Product('attention: frames', rows, WIDTH, 2 * WIDTH),
    Product('attention: memory', rows, WIDTH, _MEMORY),
    Product('encoder: MLP', rows, WIDTH, 2 * WIDTH),
    Product('encoder: recurrence', rows, WIDTH, _GATES),
    Product('hash layer', batch, WIDTH, bits),
    Product('similarity', batch, bits, batch),
    Product('decoder: first frame', batch, bits, dim),
    Product('neighborhood rebuilt', batch, WIDTH, WIDTH),
  ]


def total_flops(products: Sequence[Product]) -> int:
  """FLOPs of one step."""
  return sum(product.flops for product in products)


def num_parameters(size: Size) -> int:
  """Parameters of NPH at the paper's widths, biases and norms included."""
  dim, bits = size.frame_dim, size.num_bits
  encoder = (dim + 1) * (WIDTH + _GATES) + 3 * WIDTH * WIDTH
  encoder += WIDTH * _GATES + 2 * (WIDTH + 1) * WIDTH
  encoder += 2 * size.num_frames * WIDTH
  decoder = (dim + WIDTH + 1) * _LSTM_GATES + (WIDTH + 1) * dim
  ends = (NUM_NEAREST * WIDTH + 1) * WIDTH + (WIDTH + 1) * WIDTH
  return encoder + decoder + ends + (WIDTH + 1) * bits + (bits + 1) * dim


def total_bytes(
  products: Sequence[Product], size: Size, operand: int = 4
) -> int:
  """Bytes that a step moves between memory and processor, at least.

  Counted are: each product's operands and result, once in each pass, the
  weights of a recurrence as if they stayed in the cache; Adam's seven arrays;
  the frames read as float16 and written for the products. All that stands
  between the products is left out: it could be done on the way.

  Args:
    products: of the step.
    size: of the step.
    operand: bytes of a product's operands: 4, or 2 for bfloat16.
  """
  values = size.batch * size.num_frames * size.frame_dim
  moved = sum(product.traffic(operand) for product in products)
  moved += _ADAM_ARRAYS * 4 * num_parameters(size)
  return moved + (2 + operand) * values
