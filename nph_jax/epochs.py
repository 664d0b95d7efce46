"""What a method does before each epoch, outside the compiled step.

A clustering, say, of what it makes of all training videos by now. The result
lies in the state's collections and so in every checkpoint; it depends on the
state, the epoch and the seed alone, so that a training that was cut off and
goes on is the same as one that was not.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import jax
import numpy as np

from nph_jax import rng, train
from nph_jax.train_state import TrainState


def hook(
  method: Any, read_frames: Callable[[], Iterator[np.ndarray]], seed: int
) -> Callable[[TrainState, int], TrainState] | None:
  """What train.fit calls before an epoch; None where the method has nothing.

  Args:
    method: see models.method.Method.
    read_frames: starts a pass over the training videos' frames [B, M, L].
    seed: of the configuration.
  """
  if not method.has_epochs:
    return None
  survey = jax.jit(method.survey)

  def begin(state: TrainState, epoch: int) -> TrainState:
    key = jax.random.fold_in(rng.stream(seed, 'epoch'), epoch)
    # From the host: of several processes each surveys all for itself.
    params, collections = jax.device_get((state.params, state.collections))
    collections = method.begin_epoch(
      collections,
      epoch,
      lambda: _of_all(survey, params, collections, read_frames, key),
      key,
    )
    return state.replace(collections=train.replicate(collections))

  return begin


def _of_all(survey, params, collections, read_frames, key) -> np.ndarray:
  """What `survey` says of every training video, [N, ...]."""
  found, size, row = [], 0, 0
  for frames in read_frames():
    count = len(frames)
    size = max(size, count)  # blocks of one shape are one program
    batch = {
      'frames': np.pad(
        frames.astype(np.float32), ((0, size - count), (0, 0), (0, 0))
      ),
      'index': row + np.arange(size),
    }
    values = survey(params, collections, batch, key)
    found.append(np.asarray(values)[:count])
    row += count
  return np.concatenate(found)
