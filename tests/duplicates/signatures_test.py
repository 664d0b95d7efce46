"""The vectors that copies share, against float64."""

import numpy as np

from nph_jax.duplicates import signatures
from nph_jax.models import log_covariance

WIDTH, FRAMES, COUNT = 12, 5, 80


def videos(count=COUNT, seed=0):
  rng = np.random.default_rng(seed)
  scene = rng.random((count, 1, WIDTH))
  return (scene + 0.3 * rng.random((count, FRAMES, WIDTH))).astype(np.float16)


def unit(rows):
  return rows / np.linalg.norm(rows, axis=1, keepdims=True)


def test_vectors_and_codes_are_those_of_float64():
  frames = videos()
  read = lambda rows: frames[rows]  # noqa: E731
  tables = signatures.learn(read, frames.shape)
  found = signatures.vectors(read, tables, range(COUNT))
  z = frames.astype(np.float64) @ tables['frame_directions'].astype(np.float64)
  motion = (z - z.mean(axis=1, keepdims=True)).reshape(COUNT, -1)
  lengths = np.linalg.norm(motion, axis=1)
  assert np.isclose(tables['motion'], np.median(lengths), rtol=1e-4)
  # Itself against float64 in tests/models.
  moments = log_covariance.pool(frames.astype(np.float32), tables)
  v = unit(np.asarray(moments, np.float64) - tables['mean'])
  r = motion / np.maximum(lengths, np.median(lengths) / 2)[:, None]
  np.testing.assert_allclose(
    found, unit(np.concatenate([v, r], axis=1)), atol=2e-3
  )
  codes = signatures.codes_of(found, tables)
  assert codes.shape == (COUNT, 88 // 8)  # 12 directions have 91 moments
  signs = np.unpackbits(codes, axis=1)
  projected = v @ tables['projection']
  clear = np.abs(projected) > 1e-3
  np.testing.assert_array_equal(signs[clear], projected[clear] > 0)


def test_what_does_not_move_is_told_by_what_it_shows():
  frames = videos()
  frames[:2] = frames[0, :1]  # two copies of a still
  frames[1, 0, 0] += 1e-3
  frames[0, 1, 1] += 1e-3
  read = lambda rows: frames[rows]  # noqa: E731
  tables = signatures.learn(read, frames.shape)
  found = signatures.vectors(read, tables, range(COUNT)).astype(np.float32)
  assert found[0] @ found[1] > 0.99 and (found[0] @ found[2:].T).max() < 0.9
