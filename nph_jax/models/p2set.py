"""AutoSSVH's loss of a video against the centres of clusters of codes.

Before every epoch the codes h of all training videos, at length one, are
clustered by K-means for several numbers of centres c at length one. The
concentration phi of a cluster of n videos is their mean distance to the centre
over log(n + 10), the largest of the others where n is one or none, held between
the tenth and ninetieth percentile of all, and scaled to a mean of .2. In a
batch, for each number of centres and each view,

  L_p2set = mean_i CE(softmax_j (h_i . c_j / phi_j), i),

over the centres of the batch's videos and as many others, drawn at random.

Other than in the released code: h is at length one here as there in K-means;
another video of i's own cluster is not a wrong answer; one start of 20 rounds
of K-means on all videos, not the best of five on a sample; at most N / 4
centres, all numbers scaled alike, where N videos are too few for the number
asked for.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import jax
import jax.numpy as jnp
import numpy as np

from nph_jax import collectives
from nph_jax.models.masked_views import unit
from nph_jax.neighborhood import anchors

NAME = 'clusters'  # of the collection
_ROUNDS = 20
_VIDEOS_PER_CENTRE = 4
_MEAN_CONCENTRATION = 0.2
Clusters = Mapping[str, Mapping[str, jax.Array]]


def num_centres(asked: Sequence[int], num_videos: int) -> tuple[int, ...]:
  """The numbers of centres for so many videos."""
  share = num_videos / (_VIDEOS_PER_CENTRE * max(asked))
  return tuple(max(1, int(c * min(share, 1))) for c in asked)


def init(
  asked: Sequence[int], unassigned: jax.Array, num_bits: int
) -> Clusters:
  """Before the first K-means, for each number of centres C.

  Each has centres [C, K], concentration [C], zero as long as none are found,
  and own [N], each video's cluster.
  """
  return {
    str(place): {
      'centres': jnp.zeros((count, num_bits), np.float32),
      'concentration': jnp.zeros(count, np.float32),
      'own': unassigned,
    }
    for place, count in enumerate(num_centres(asked, len(unassigned)))
  }


def fit(clusters: Clusters, codes: np.ndarray, key: jax.Array) -> Clusters:
  """New clusters, of the same numbers, of codes h [N, K]."""
  codes = np.asarray(unit(jnp.asarray(codes)))
  return {
    name: _fit_one(codes, len(old['centres']), key)
    for name, old in clusters.items()
  }


def clusters_of(
  rows: np.ndarray, count: int, num_rounds: int, key: jax.Array
) -> tuple[np.ndarray, np.ndarray]:
  """Centres [C, D] of K-means of rows [N, D], and each row's own [N]."""
  seed = int(jax.random.bits(key, dtype='uint32'))
  means = anchors.fit_anchors(rows, count, num_iterations=num_rounds, seed=seed)
  return means, anchors.nearest_anchors(rows, means, 1)[:, 0]


def _fit_one(
  codes: np.ndarray, count: int, key: jax.Array
) -> dict[str, np.ndarray]:
  means, own = clusters_of(codes, count, _ROUNDS, key)
  distances = np.linalg.norm(codes - means[own], axis=1)
  return {
    'centres': np.asarray(unit(jnp.asarray(means))),
    'concentration': concentration(distances, own, count),
    'own': own,
  }


def concentration(
  distances: np.ndarray, own: np.ndarray, count: int
) -> np.ndarray:
  """phi [C] of distances [N] to the centres own [N]; see the docstring."""
  sizes = np.bincount(own, minlength=count)
  sums = np.bincount(own, distances, minlength=count)
  spread = sums / np.maximum(sizes, 1) / np.log(sizes + 10)
  spread[sizes <= 1] = spread.max()
  spread = np.clip(spread, *np.percentile(spread, (10, 90)))
  mean = spread.mean()
  scaled = spread / mean if mean > 0 else np.ones(count)
  # A cluster of equal codes alone has none; no logit may be divided by zero.
  return np.maximum(_MEAN_CONCENTRATION * scaled, 1e-3).astype(np.float32)


def loss(
  codes: jax.Array,
  index: jax.Array,
  clusters: Clusters,
  key: jax.Array,
  axis_name: str | None,
) -> jax.Array:
  """L_p2set, the mean over views and numbers of centres.

  Args:
    codes: h of R views, [R, B, K].
    index: the videos' rows, [B].
    clusters: of `fit`; zero before there are any.
    key: of the step.
    axis_name: devices' axis under pmap.
  """
  rows = unit(codes)
  losses = [_one(rows, index, one, key, axis_name) for one in clusters.values()]
  return jnp.mean(jnp.stack(losses))


def _one(rows, index, clusters, key, axis_name) -> jax.Array:
  own, phi = clusters['own'], clusters['concentration']
  mine, count = own[index], len(phi)
  batch = collectives.gather(mine, axis_name)
  in_batch = jnp.zeros(count, bool).at[batch].set(True)
  # Centres of no video of the batch first, in random order.
  order = jnp.argsort(jax.random.uniform(key, (count,)) + in_batch)
  others = order[: len(batch)]
  number = jnp.concatenate([mine, batch, others])
  local = len(mine)
  # A row's own centre is its first column; equal centres are no wrong answer.
  known = phi[0] > 0
  divisor = jnp.where(known, phi, 1)[number]
  logits = rows @ clusters['centres'][number].T / divisor
  allowed = mine[:, None] != number
  allowed &= jnp.arange(len(number)) >= local
  allowed &= jnp.concatenate(
    [jnp.ones(local + len(batch), bool), ~in_batch[others]]
  )
  allowed |= jnp.eye(local, len(number), dtype=bool)
  scores = jnp.where(allowed, logits, -jnp.inf)
  right = jnp.diagonal(logits, axis1=1, axis2=2)
  loss = jnp.mean(jax.nn.logsumexp(scores, axis=-1) - right)
  return jnp.where(known, loss, 0)
