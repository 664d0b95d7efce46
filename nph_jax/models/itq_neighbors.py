"""Neighbours before variance, in closed form.

Beyond the paper, whose thesis it is: a code should keep who is whose neighbour
rather than what varies most. A video is log_covariance's vector, its first P
principal components the row of X [N, P], of variances v. S [N, N] is the
smoothed graph of the nearest neighbours (smoothed_graph). Of all directions w
those count along which neighbours agree,

  X^T S X w / N = l (diag(v) + RIDGE mean(v) I) w,    w^T (...) w = 1,

the largest l first (locality preserving projections, He and Niyogi, NIPS 2003,
turned round and shrunk), and each is weighted by its l: y = X w l (without
the weight a quarter to a third of the mAP is lost). Then it is done once more
with the neighbours read again, by the sum of two cosines: that of X and that of
the y just found. ITQ's rotation makes bits of y's first K.

k follows from N alone (num_neighbors): the root of N, at most 40. Where k nears
the size of a class the graph joins classes, which costs far more than too few
neighbours do.

All is one linear map in the end: t = (pooled - mean) projection.
"""

from __future__ import annotations

import dataclasses

import jax
import numpy as np
import scipy.linalg
import scipy.sparse

from nph_jax import errors
from nph_jax.data.pooled import PooledFeatures
from nph_jax.models import itq, itq_moments, linear_code, log_covariance
from nph_jax.models.method import Entry
from nph_jax.neighborhood import smoothed_graph

NUM_COMPONENTS = 256  # P
RIDGE = 0.3
MAX_NEIGHBORS = 40
MIN_VIDEOS = 12
NUM_DIMS = 64  # of the y by which neighbours are read again


@dataclasses.dataclass(frozen=True)
class Embedding:
  """What the neighbourhood says of the training videos, D directions of it.

  Attributes:
    tables: of log_covariance.fit.
    mean: of the pooled vectors, [W].
    projection: y = (pooled - mean) projection, float64 [W, D].
    y: of the training videos, float32 [N, D].
  """

  tables: dict[str, np.ndarray]
  mean: np.ndarray
  projection: np.ndarray
  y: np.ndarray


class ITQOfNeighbors(itq_moments.ITQOfMoments):
  """ITQ of the directions that neighbours share."""

  def fit_tables(
    self, features: PooledFeatures, key: jax.Array
  ) -> dict[str, np.ndarray]:
    """log_covariance's tables, and the linear code of their vectors."""
    return fit(self.num_bits, features, key)[0]


ENTRY = Entry('ITQ of neighbours', ITQOfNeighbors.build, can_start=False)


def fit(
  num_bits: int, features: PooledFeatures, key: jax.Array
) -> tuple[dict[str, np.ndarray], Embedding]:
  """What ITQOfNeighbors.fit_tables returns, and the embedding it is of."""
  found = embed(features, num_bits)
  start = itq.random_rotation(key, num_bits)
  rotation = itq.fit_rotation(found.y, start)
  linear = linear_code.linear_tables(
    found.mean, found.projection @ rotation, np.zeros(num_bits)
  )
  return {**found.tables, **linear}, found


def embed(features: PooledFeatures, num_dims: int) -> Embedding:
  """The first D directions with neighbours, of frames' second moments.

  Directions that the videos do not span are zero.

  Args:
    features: of the training videos, with frames.
    num_dims: D, at most the pooled width.

  Raises:
    UserError: fewer than MIN_VIDEOS videos, or all the same.
  """
  num_neighbors(features.num_videos)
  tables = log_covariance.fit(features)
  pooled = log_covariance.pooled_features(features, tables)
  count = min(max(NUM_COMPONENTS, num_dims), pooled.dim)
  principal, variances = linear_code.principal_directions(pooled, count)
  components = pooled.project(principal)
  weights = fit_directions(components, variances, num_dims)
  return Embedding(
    tables,
    pooled.mean,
    principal @ weights,
    (components @ weights).astype(np.float32),
  )


def num_neighbors(num_videos: int) -> int:
  """k: the root of the number of videos, at most 40.

  Raises:
    UserError: so few videos that most would be neighbours of most.
  """
  if num_videos < MIN_VIDEOS:
    raise errors.UserError(
      f'config.method itq_neighbors needs {MIN_VIDEOS} training videos or '
      f'more to tell neighbours from others, and there are {num_videos}; give '
      'it more, or use itq_moments.'
    )
  return min(MAX_NEIGHBORS, round(num_videos**0.5))


def fit_directions(
  components: np.ndarray, variances: np.ndarray, num_dims: int
) -> np.ndarray:
  """W diag(l) [P, D], float64.

  Args:
    components: X, float32 [N, P], centred and uncorrelated.
    variances: v, [P].
    num_dims: D, at most P.
  """
  k = num_neighbors(len(components))
  graph = _graph(components, k)
  first = shared_directions(components, variances, graph)[:, :NUM_DIMS]
  y = components @ first
  both = np.hstack(list(map(smoothed_graph.unit_rows, (components, y))))
  weights = shared_directions(components, variances, _graph(both, k))
  return weights[:, :num_dims]


def _graph(features: np.ndarray, k: int) -> scipy.sparse.csr_array:
  nearest = smoothed_graph.nearest_by_cosine(features, k)
  return smoothed_graph.normalized(nearest)


def shared_directions(
  components: np.ndarray,
  variances: np.ndarray,
  graph: scipy.sparse.csr_array,
) -> np.ndarray:
  """All w l, largest l first, [P, P]; zero where l is negative.

  Args:
    components: X, [N, P].
    variances: v, [P].
    graph: A.
  """
  form = smoothed_graph.quadratic_form(graph, components) / len(components)
  scale = (variances + RIDGE * variances.mean()) ** -0.5
  values, vectors = scipy.linalg.eigh(form * scale * scale[:, None])
  values, vectors = values[::-1], vectors[:, ::-1]
  largest = np.argmax(np.abs(vectors), axis=0)
  signs = np.sign(vectors[largest, np.arange(len(values))])
  return scale[:, None] * vectors * (signs * np.maximum(values, 0))
