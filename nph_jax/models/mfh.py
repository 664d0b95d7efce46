"""MFH: multiple feature hashing (Song et al., ACM MM 2011), of one feature.

For feature types g with Laplacians L_g the original minimises over Y, Y_g, W, b

  sum_g tr(Y_g^T L_g Y_g) + gamma sum_g |Y - Y_g|^2
  + alpha (|X^T W + 1 b^T - Y|^2 + beta |W|^2)      subject to Y^T Y = I.

With one type, gamma only bends the spectrum of L, and Y_1 is taken to be Y
(gamma without bound). Then Y [N, K] are the eigenvectors of

  L + alpha (I - 11^T / N - X^T (X X^T + beta I)^-1 X)      (X centred)

with the smallest eigenvalues, W = (X X^T + beta I)^-1 X Y, and the code is
sgn(W^T x - median), which b drops out of.

Interpreted: a video is its mean frame (linear_code); its neighbours are the
k = 10 nearest in l2, either way round; L is divided by the mean degree and beta
is in units of the mean variance, so that both mean the same on any data.
alpha = 1 and beta = 0.1 retrieved best from training video to training video on
ucf101_10, of alpha in 1, 100 and beta in 0.01, 0.1, 1, 10; alpha = 0.01 gains
.005 and leaves the eigenvalues so close together that they take several
times as long. The constant vector, of eigenvalue 0, is left out: its bit would
be the same for all.

Memory: X is reduced to its first 256 principal components, L is sparse, and the
eigenvectors come from Lanczos' iteration: O(N (256 + 3 K)) numbers. Time: N^2
for the neighbours. FCVID's 45,585 videos take a minute or two on 2 cores.
"""

from __future__ import annotations

import jax
import numpy as np
import scipy.sparse
import scipy.sparse.linalg

from nph_jax import errors
from nph_jax.data.pooled import PooledFeatures
from nph_jax.models import linear_code
from nph_jax.models.method import Entry

NUM_NEIGHBORS = 10
ALPHA, BETA = 1.0, 0.1
_NUM_COMPONENTS = 256
_TOLERANCE = 1e-4
_EXCLUDED = 10.0  # what the constant vector's eigenvalue becomes


class MFH(linear_code.LinearCode):
  """A Laplacian embedding that a linear map has to explain."""

  def fit_tables(
    self, features: PooledFeatures, key: jax.Array
  ) -> dict[str, np.ndarray]:
    """mean, W as projection, the medians as thresholds.

    Raises:
      UserError: no more videos than bits or neighbours.
    """
    needed = max(self.num_bits, NUM_NEIGHBORS)
    if features.num_videos <= needed:
      raise errors.UserError(
        f'config.method mfh needs more than {needed} training videos for '
        f'{self.num_bits} bits, and there are {features.num_videos}; ask for '
        'fewer bits, or use another method.'
      )
    count = min(max(_NUM_COMPONENTS, self.num_bits), features.dim)
    directions, _ = linear_code.principal_directions(features, count)
    components = features.project(directions)
    start = jax.random.normal(key, (features.num_videos,))
    weights = fit_weights(
      components, laplacian(components), self.num_bits, np.asarray(start)
    )
    threshold = np.median(components @ weights, axis=0)
    return linear_code.linear_tables(
      features.mean, directions @ weights, threshold
    )


ENTRY = Entry('MFH', MFH.build, can_start=False)


def laplacian(
  components: np.ndarray, num_neighbors: int = NUM_NEIGHBORS
) -> scipy.sparse.csr_array:
  """D - A of the symmetric neighbour graph, over the mean degree, [N, N].

  Args:
    components: [N, P].
    num_neighbors: nearest in l2, not counting the video itself.
  """
  from sklearn import neighbors  # takes a second

  search = neighbors.NearestNeighbors(
    n_neighbors=num_neighbors, algorithm='brute'
  )
  directed = scipy.sparse.csr_array(search.fit(components).kneighbors_graph())
  adjacent = directed.maximum(directed.T)
  degrees = adjacent.sum(axis=1)
  return (scipy.sparse.diags_array(degrees) - adjacent) / degrees.mean()


def fit_weights(
  components: np.ndarray,
  graph_laplacian: scipy.sparse.csr_array,
  num_bits: int,
  start: np.ndarray,
) -> np.ndarray:
  """W [P, K], float64.

  Args:
    components: X^T, [N, P], centred.
    graph_laplacian: L.
    num_bits: K.
    start: of the iteration, [N].
  """
  num_videos = len(components)
  components = components.astype(np.float64)  # once, not at each product
  products = components.T @ components
  ridge = BETA * np.trace(products) / len(products)
  inverse = np.linalg.inv(products + ridge * np.eye(len(products)))

  def times(y: np.ndarray) -> np.ndarray:
    y = y.ravel()
    explained = components @ (inverse @ (components.T @ y))
    unexplained = y - y.mean() - explained
    return graph_laplacian @ y + ALPHA * unexplained + _EXCLUDED * y.mean()

  operator = scipy.sparse.linalg.LinearOperator(
    (num_videos, num_videos), matvec=times, dtype=np.float64
  )
  _, embedding = scipy.sparse.linalg.eigsh(
    operator, num_bits, which='SA', v0=start.astype(np.float64), tol=_TOLERANCE
  )
  return inverse @ (components.T @ embedding)
