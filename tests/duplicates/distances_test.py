"""Distances aligned in time, against float64 loops."""

import numpy as np

from nph_jax.duplicates import distances

M, P, COUNT = 6, 3, 9
SECONDS = np.array([10, 10, 5, 4.9, 9.8, 1, np.nan, 0, 30.0])


def unit(rows):
  return rows / np.linalg.norm(rows, axis=-1, keepdims=True)


def videos(seed=0):
  """v [N, 4] and r [N, M, P] of vectors of unit length."""
  rng = np.random.default_rng(seed)
  r = rng.standard_normal((COUNT, M, P))
  r -= r.mean(axis=1, keepdims=True)
  rows = np.concatenate(
    [rng.standard_normal((COUNT, 4)), r.reshape(COUNT, -1)], 1
  )
  rows = unit(rows)
  return rows, rows[:, :4], rows[:, 4:].reshape(COUNT, M, P)


def literal(v, r, i, j):
  """1 - <v, v'> - <r, r'>, of the best part of the longer if that is more."""
  if SECONDS[i] < SECONDS[j]:
    i, j = j, i
  product = np.sum(r[i] * r[j])
  ratio = np.nan_to_num(round(100 * SECONDS[j] / SECONDS[i]) / 100
                        if SECONDS[j] * SECONDS[i] > 0 else 0)  # fmt: skip
  if 0.15 <= ratio < 0.95:
    count = max(2, int(np.ceil((1 - ratio) * M)) + 1)
    for start in np.linspace(0, 1 - ratio, count):
      places = (start + ratio * (np.arange(M) + 0.5) / M) * M - 0.5
      part = np.stack(
        [np.interp(places, np.arange(M), r[i, :, axis]) for axis in range(P)], 1
      )
      part -= part.mean(axis=0)
      part *= np.linalg.norm(r[i]) / np.linalg.norm(part)
      product = max(product, np.sum(part * r[j]))
  return 1 - v[i] @ v[j] - product


def test_distances_are_those_of_float64():
  rows, v, r = videos()
  made = distances.Distances(rows, M, 4, SECONDS)
  i, j = (x.ravel() for x in np.indices((COUNT, COUNT)))
  wanted = [literal(v, r, *pair) for pair in zip(i, j)]
  np.testing.assert_allclose(made.of(i, j), wanted, atol=1e-5)


def test_a_part_is_nearer_than_when_its_length_is_not_known():
  steps = np.sin(np.arange(50)[:, None] * [0.3, 0.4, 0.5])
  whole, middle = steps[1::2], steps[12:37]
  rows = []
  for frames in (whole, middle):
    r = (frames - frames.mean(axis=0)).ravel()
    rows.append(np.concatenate([[1, 0, 0, 0], r / np.linalg.norm(r)]))
  rows = unit(np.array(rows))
  first, second = np.array([0]), np.array([1])
  near, far = (
    distances.Distances(rows, 25, 4, np.array(x)).of(first, second)[0]
    for x in ([10.0, 5.0], [10.0, np.nan])
  )
  assert near < 0.1 and far > 0.4
