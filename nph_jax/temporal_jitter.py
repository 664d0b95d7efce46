"""Which of the stored frames a training step reads.

Beyond the paper. Training files may hold R frames for each of a video's M
segments. A step then reads one of each, drawn anew; everything else reads the
middle one.
"""

from __future__ import annotations

import jax
import jax.numpy as jnp


def read(
  stored: jax.Array,
  rows: jax.Array,
  videos: jax.Array,
  frames_per_segment: int,
  key: jax.Array,
) -> jax.Array:
  """One stored frame of every segment, [B, M, L], of `stored[rows]`.

  The draw is of the step and the video, so that it is the same wherever the
  frames lie and on any number of devices.

  Args:
    stored: frames, [N, M R, L].
    rows: of `stored`, [B].
    videos: the numbers of those videos in the split, [B].
    frames_per_segment: R.
    key: the step's.
  """
  segments = stored.shape[1] // frames_per_segment
  keys = jax.vmap(lambda video: jax.random.fold_in(key, video))(videos)
  offsets = jax.vmap(
    lambda k: jax.random.randint(k, (segments,), 0, frames_per_segment)
  )(keys)
  columns = jnp.arange(segments) * frames_per_segment + offsets
  return stored[rows[:, None], columns]
