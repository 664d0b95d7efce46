"""Distances aligned in time, against float64 loops."""

import numpy as np
import pytest

from nph_jax.duplicates import distances

M, P, COUNT = 8, 5, 9
SECONDS = np.array([10, 10, 5, 4.9, 9.8, 1, np.nan, 0, 30.0])
MOTION = np.array([1, 0.5, 1, 0.2, 1, 1, 0.9, 0, 1], np.float32)


def videos():
  rng = np.random.default_rng(0)
  frames = rng.integers(-60, 60, (COUNT, M, P)) + rng.integers(
    -60, 60, (COUNT, 1, P)
  )
  frames[7] = frames[7, :1]  # a still
  return frames.astype(np.int8)


def similarity(x, y, m):
  """s of frames that meet."""
  a, b = x.mean(axis=0), y.mean(axis=0)
  x, y = x - a, y - b
  lengths = np.linalg.norm(x) * np.linalg.norm(y)
  r = np.sum(x * y) / lengths if lengths else 0
  c = a @ b / np.linalg.norm(a) / np.linalg.norm(b)
  s = 0.75 * (m * r + (1 - m) * c**3) + 0.25 * c
  return s * np.sqrt(len(x) / M)


def literal(frames, i, j):
  """1 - s at the best of all ways to lay one on the other."""
  if SECONDS[i] < SECONDS[j]:
    i, j = j, i
  x, y, m = frames[i] * 1.0, frames[j] * 1.0, MOTION[i] * MOTION[j]
  found = [similarity(x, y, m)]
  known = SECONDS[j] * SECONDS[i] > 0
  ratio = round(100 * SECONDS[j] / SECONDS[i]) / 100 if known else 0
  if 4 / M <= ratio < 0.95:
    count = max(2, int(np.ceil((1 - ratio) * M / ratio / 2)) + 1)
    for start in np.linspace(0, 1 - ratio, count):
      times = ((np.arange(M) + 0.5) / M - start) / ratio
      meets = (times >= 0) & (times < 1)
      places = times[meets] * M - 0.5
      laid = np.stack(
        [np.interp(places, np.arange(M), y[:, axis]) for axis in range(P)], 1
      )
      found.append(similarity(x[meets], laid, m))
  return 1 - max(found)


def test_distances_are_those_of_float64():
  frames = videos()
  made = distances.Distances(frames, MOTION, SECONDS)
  i, j = (x.ravel() for x in np.indices((COUNT, COUNT)))
  found = made.of(i, j)
  wanted = [literal(frames, *pair) for pair in zip(i, j)]
  np.testing.assert_allclose(found, wanted, atol=1e-5)
  np.testing.assert_array_equal(found[i == j], 0)
  some = np.array([7, 2, 8])
  np.testing.assert_array_equal(
    made.among(some).of(np.array([0, 1]), np.array([2, 2])),
    made.of(some[:2], some[[2, 2]]),
  )


@pytest.mark.parametrize(
  ('seconds', 'low', 'high'), [(5.0, 0.2, 0.4), (np.nan, 0.6, 1.2)]
)
def test_a_part_is_nearer_where_its_length_is_known(seconds, low, high):
  rng = np.random.default_rng(0)
  turns, begins = rng.uniform(0.1, 0.5, 40), rng.uniform(0, 6, 40)
  steps = 90 * np.sin(np.arange(50)[:, None] * turns + begins)
  frames = np.stack([steps[1::2], steps[12:37]]).astype(np.int8)
  made = distances.Distances(frames, np.ones(2), np.array([10.0, seconds]))
  (found,) = made.of(np.array([0]), np.array([1]))
  assert low < found < high  # 1 - sqrt(1 / 2) at best
