"""What copies share, against float64."""

import numpy as np

from nph_jax.duplicates import distances, signatures
from nph_jax.models import log_covariance

WIDTH, FRAMES, COUNT = 12, 5, 80


def videos(count=COUNT, seed=0):
  rng = np.random.default_rng(seed)
  scene = rng.random((count, 1, WIDTH))
  return (scene + 0.3 * rng.random((count, FRAMES, WIDTH))).astype(np.float16)


def signed(frames):
  read = lambda rows: frames[rows]  # noqa: E731
  tables = signatures.learn(read, frames.shape)
  return tables, signatures.of(read, tables, range(len(frames)))


def test_signatures_are_those_of_float64():
  frames = videos()
  tables, found = signed(frames)
  centred = frames.astype(np.float64) - tables['frame_mean']
  flat = centred.reshape(-1, WIDTH)
  variances, directions = np.linalg.eigh(flat.T @ flat / len(flat))
  scales = (variances + 0.1 * variances.mean()) ** -0.25
  whitened = centred @ (directions * scales)
  # Up to the signs of the directions: by all inner products of frames.
  flat = whitened.reshape(COUNT * FRAMES, -1)
  scale = np.abs(flat).max()
  made = found.frames.reshape(COUNT, FRAMES, -1).astype(np.float64)
  lengths = np.linalg.norm(whitened, axis=(1, 2)) / np.linalg.norm(
    made, axis=(1, 2)
  )
  made = (made * lengths[:, None, None]).reshape(len(flat), -1)
  np.testing.assert_allclose(made @ made.T, flat @ flat.T, atol=0.02 * scale**2)
  still = 0.3 * np.median(np.linalg.norm(whitened.mean(axis=1), axis=1))
  spread = np.sqrt(whitened.var(axis=1).sum(axis=1))
  np.testing.assert_allclose(
    found.motion, np.minimum(spread / still, 1), rtol=1e-3
  )
  # Itself against float64 in tests/models.
  moments = log_covariance.pool(frames.astype(np.float32), tables)
  projected = (np.asarray(moments) - tables['mean']) @ tables['projection']
  assert found.codes.shape == (COUNT, 88 // 8)  # 12 directions: 91 moments
  signs = np.unpackbits(found.codes, axis=1)
  clear = np.abs(projected) > 1e-3
  np.testing.assert_array_equal(signs[clear], projected[clear] > 0)


def test_what_does_not_move_is_told_by_what_it_shows():
  frames = videos()
  frames[:3] = frames[0, :1]  # copies of a still, one of them all the same
  frames[1:3] += 0.01 * videos(2, 1)
  _, found = signed(frames)
  made = distances.Distances(found.frames, found.motion, np.ones(COUNT))
  first = np.zeros(COUNT - 1, int)
  apart = made.of(first, np.arange(1, COUNT))
  assert found.motion[0] < 1e-6 and found.motion[3:].min() > 0.1
  assert apart[:2].max() < 0.1 and apart[2:].min() > 0.4


def test_two_videos_and_stills_alone_are_no_division_by_zero():
  for frames in (videos(2), np.repeat(videos(2)[:, :1], FRAMES, axis=1)):
    frames = np.concatenate([frames] * 30)
    _, found = signed(frames)
    assert np.isfinite(found.motion).all() and found.frames.any()
