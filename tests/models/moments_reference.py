"""What itq_moments is, and nph_tuned begins at, in float64 NumPy from scratch.

Nothing of nph_jax is used; the rotation that ITQ starts from is an argument.
"""

import numpy as np
import scipy.linalg

MAX_WIDTH, EPSILON, MEAN_SCALE = 64, 0.01, 3.0


def principal(points, count):
  """The first directions [L, count] and the variances along them.

  Of either sign each takes the one whose largest entry is positive; so the
  same rotation means the same.
  """
  _, singular, rows = np.linalg.svd(points - points.mean(axis=0))
  rows = rows[:count]
  largest = rows[np.arange(count), np.abs(rows).argmax(axis=1)]
  variances = np.square(singular[:count]) / len(points)
  return (rows * np.sign(largest)[:, None]).T, variances


def directions(frames):
  """Of a frame of each video [N, L]: their mean, and half-whitened axes."""
  frames = frames.astype(np.float64)
  mean = frames.mean(axis=0)
  axes, variances = principal(frames, min(MAX_WIDTH, frames.shape[1]))
  axes = axes / variances**0.25
  power = np.var((frames - mean) @ axes, axis=0).mean()
  return mean, axes / np.sqrt(power)


def vector(video, mean, axes):
  """log(C + e I) - log(e) I of a video [M, L], as one triangle of it."""
  z = (video.astype(np.float64) - mean) @ axes
  z = np.column_stack([z, np.full(len(z), MEAN_SCALE)])
  moments = sum(np.outer(frame, frame) for frame in z) / len(z)
  identity = np.eye(len(moments))
  logarithm = scipy.linalg.logm(moments + EPSILON * identity)
  logarithm -= np.log(EPSILON) * identity
  entries = []
  for row in range(len(logarithm)):
    entries.append(logarithm[row, row])
    # The matrix has each of these twice.
    entries.extend(np.sqrt(2) * logarithm[row, row + 1 :])
  return np.array(entries)


def vectors(videos, mean, axes):
  return np.stack([vector(video, mean, axes) for video in videos])


def itq(points, num_bits, rotation):
  """W R as Gong and Lazebnik (CVPR 2011, section 2.2) define it.

  V = X W of the centred points X. 50 times in turns: B = sgn(V R); with
  B^T V = S Omega S'^T, a singular value decomposition, R = S' S^T.
  """
  components, _ = principal(points, num_bits)
  v = (points - points.mean(axis=0)) @ components
  for _ in range(50):
    b = np.where(v @ rotation >= 0, 1.0, -1.0)
    s, _, other_transposed = np.linalg.svd(b.T @ v)
    rotation = other_transposed.T @ s.T
  return components @ rotation
