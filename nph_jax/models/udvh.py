"""Unsupervised Deep Video Hashing (UDVH, Wu et al., IJCAI 2017).

An interpretation: no text was at hand but the abstract, which names clusters as
pseudo-labels, a balanced rotation, and learning from both in alternation with
the features of a recurrent network. Read here as

  y = mean over frames of an LSTM's states;   t = W y + c
  L = mean |t - b|^2 / K + clusters CE(softmax(V t), label)

where before every second epoch, from y of all training videos,

  b      the signs of their first K principal components, turned so that all
         bits have the same variance: ITQ's rotation, then plane rotations of
         two bits each, K - 1 at most, that leave one of the two at the mean
  label  the cluster, by K-means, of those components

so that the code follows the features and they the code. How often, and 50
clusters (N / 4 at most), are choices of ours.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from nph_jax import errors
from nph_jax.models import hashing, itq, lstm, p2set, transformer
from nph_jax.models.config import RecurrentConfig, Sizes, make, require
from nph_jax.models.method import (
  Entry,
  HashingModule,
  ModuleMethod,
  without,
)
from nph_jax.models.precision import matmul
from nph_jax.models.recurrence import frames_first, recurrent_scan

NAME = 'targets'  # of the collection
_ROUNDS = 20
OPTIONS = {
  'weights': {'clusters': 0.1},
  'num_clusters': 50,
  'turn_epochs': 2,  # between two looks at all videos
}


class UDVH(HashingModule):
  """LSTM, hash layer and classifier.

  Attributes:
    num_clusters: of the classifier.
  """

  num_clusters: int = 1

  def setup(self):
    self.gates = lstm.gate_parameters(
      self, self.frame_dim, self.config.hidden_width, self.config
    )
    self.hash_layer = hashing.HashLayer(self.num_bits)
    self.decode_clusters = transformer.Dense(self.num_clusters)

  def features(self, frames: jax.Array) -> jax.Array:
    """y [B, H] of frames [B, M, L]."""
    precision, (kernel, recurrent, bias) = self.config.precision, self.gates
    linear = matmul(frames, kernel, precision) + bias
    start = lstm.zero_state(
      frames.shape[0], self.config.hidden_width, frames.dtype
    )
    _, states = recurrent_scan(
      lstm.lstm_step,
      precision,
      recurrent,
      tuple(start),
      frames_first(linear),
      (),
    )
    return states.mean(axis=0)

  def encode(self, frames: jax.Array) -> tuple[jax.Array]:
    """Relaxed code t [B, K] of frames [B, M, L]."""
    return (self.hash_layer(self.features(frames)),)

  def __call__(self, frames: jax.Array) -> tuple[jax.Array, jax.Array]:
    """t [B, K], and logits of the clusters."""
    (relaxed,) = self.encode(frames)
    return relaxed, self.decode_clusters(relaxed)


@dataclasses.dataclass(frozen=True)
class UDVHMethod(ModuleMethod):
  """UDVH's module, targets and loss; see method.Method.

  Attributes:
    num_clusters: for many videos.
    turn_epochs: epochs from one look at all videos to the next.
  """

  num_clusters: int = 1
  turn_epochs: int = 1

  own = NAME
  has_epochs = True

  def table_shapes(self, num_videos: int) -> dict[str, jax.ShapeDtypeStruct]:
    """The cluster of each video before there are any, [N]."""
    return {'unassigned': jax.ShapeDtypeStruct((num_videos,), np.int32)}

  def _module(self, num_videos: int) -> UDVH:
    count = p2set.num_centres((self.num_clusters,), num_videos)[0]
    return self.module.clone(num_clusters=count)

  def init(self, key: jax.Array, tables: Mapping[str, jax.Array]):
    """Parameters; b [N, K] and labels [N], zero before the first look."""
    labels = tables['unassigned']
    params, _ = self.init_module(key, module=self._module(len(labels)))
    bits = jnp.zeros((len(labels), self.num_bits), np.float32)
    return params, {NAME: {'bits': bits, 'labels': labels}}

  def loss(self, params, collections, batch, tables, key, axis_name):
    """See the file's docstring; arguments as method.Method."""
    del tables, key, axis_name
    targets, stats = collections[NAME], without(collections, NAME)
    index = batch['index']
    module = self._module(len(targets['labels']))
    (relaxed, logits), found = module.apply(
      {'params': params, **stats}, batch['frames'], mutable=list(stats)
    )
    logs = jax.nn.log_softmax(logits)
    own = targets['labels'][index][:, None]
    terms = {
      'rotation': jnp.mean(jnp.square(relaxed - targets['bits'][index])),
      'clusters': -jnp.mean(jnp.take_along_axis(logs, own, axis=1)),
    }
    loss = terms['rotation'] + self.weights['clusters'] * terms['clusters']
    return loss, (terms, {**found, NAME: targets})

  def survey(self, params, collections, batch, key) -> jax.Array:
    """y [B, H]; see method.Method."""
    del key
    variables = {'params': params, **without(collections, NAME)}
    features = self.module.features
    return self.module.apply(variables, batch['frames'], method=features)

  def begin_epoch(self, collections, epoch, survey, key):
    """New targets every turn_epochs; see method.Method."""
    if epoch % self.turn_epochs:
      return collections
    rows = components(np.asarray(survey(), np.float64), self.num_bits)
    first = itq.random_rotation(key, self.num_bits)
    turned = balanced(rows @ itq.fit_rotation(rows, first))
    count = self._module(len(rows)).num_clusters
    _, labels = p2set.clusters_of(rows.astype(np.float32), count, _ROUNDS, key)
    bits = np.where(turned >= 0, 1, -1).astype(np.float32)
    return {**collections, NAME: {'bits': bits, 'labels': labels}}


def components(y: np.ndarray, count: int) -> np.ndarray:
  """The first principal components [N, count] of y [N, H]."""
  centred = y - y.mean(axis=0)
  _, directions = np.linalg.eigh(centred.T @ centred)
  return centred @ directions[:, ::-1][:, :count]


def balanced(rows: np.ndarray) -> np.ndarray:
  """Rows [N, K], turned so that all K columns have one mean square."""
  rows = rows.copy()
  for _ in range(rows.shape[1] - 1):
    squares = rows.T @ rows
    i, j = np.argmax(np.diag(squares)), np.argmin(np.diag(squares))
    mean = np.trace(squares) / len(squares)
    # Of a turn by an angle with this tangent bit i has the mean square.
    above, below = squares[i, i] - mean, squares[j, j] - mean
    if above <= 1e-12 * mean or below >= 0:
      break
    root = np.sqrt(squares[i, j] ** 2 - above * below)
    tangent = -above / (squares[i, j] + np.copysign(root, squares[i, j]))
    cosine = 1 / np.hypot(1, tangent)
    turn = cosine * np.array([[1, -tangent], [tangent, 1]])
    rows[:, [i, j]] = rows[:, [i, j]] @ turn
  return rows


def build(
  sizes: Sizes, model: RecurrentConfig, options: Mapping[str, Any]
) -> UDVHMethod:
  """UDVH for the registry; UserError where H has no K components."""
  require(
    'turn_epochs', options['turn_epochs'], lambda v: v > 0, 'more than zero'
  )
  if sizes.num_bits > model.hidden_width:
    raise errors.UserError(
      f'config.num_bits is {sizes.num_bits}, more than '
      f'config.model.hidden_width, {model.hidden_width}; make it as wide at '
      'least.'
    )
  return make(UDVHMethod, {**options, 'module': UDVH(*sizes, model)})


ENTRY = Entry('UDVH', build, OPTIONS)
