"""A network's batches: of one size, so that one program computes them all."""

from __future__ import annotations

from collections.abc import Callable, Iterable

import numpy as np


def apply(
  function: Callable[[np.ndarray], np.ndarray],
  batch: np.ndarray,
  size: int,
  mapped: Callable[..., Iterable[np.ndarray]] = map,
) -> np.ndarray:
  """Applies `function` to `size` rows at a time.

  The last chunk is filled up with its last row: another shape would be another
  program, with other rounding.

  Args:
    function: [size, ...] to [size, L].
    batch: [N, ...], N > 0.
    size: rows of a chunk.
    mapped: as `map`: the chunks in turn, or at once.

  Returns:
    [N, L] float32.
  """
  starts = range(0, len(batch), size)
  chunks = (_chunk(batch, start, size) for start in starts)
  return np.concatenate(list(mapped(function, chunks)))[: len(batch)]


def _chunk(batch: np.ndarray, start: int, size: int) -> np.ndarray:
  chunk = batch[start : start + size]
  filling = np.repeat(chunk[-1:], size - len(chunk), axis=0)
  return np.concatenate([chunk, filling])
