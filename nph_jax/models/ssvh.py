"""Self-Supervised Video Hashing (Song et al. 2018, reference [18]).

Encoder: a lower LSTM over the frames (binary_lstm, real-valued), every second
of whose states feeds a binary LSTM; both of width K. Its last t is the relaxed
code. Decoders as SSTH's, each in two levels: every state of the upper LSTM,
which starts from b and the encoder's last cell, is the input of two steps of
the lower one, which starts from zeros.

An odd last frame is not read and not rebuilt, as in the public code (24 of 25).

Loss, in sums as the public code has it, over the batch's i and all training
videos' j, with S_ij in {0, 1} of knn_graph over the mean frames:

  .999 (sum_ij (t_i . t_j / K - S_ij)^2 + .2 sum_i |t_i - b_i|^2)
  + .001 (reverse + forward + M mean) / 3        sums of squared errors

Here all is divided by .001 B M L, so that the last line is a mean over frames
and widths, as in the other methods, and the ratio of the terms is that of the
original for any N, M and L. Adam takes no notice of the factor.

t_j is the value that video j had when last seen, zero before that, and the
batch's own are taken in first, without a gradient; b is a constant in its term.
Read so because the text at hand leaves it open: the quantisation term is one
sum over the batch, not over pairs.

Not taken over: a slip of the public code by which the forward decoder reads the
reverse decoder's state at odd steps, and a weight decay too small to count (see
ssth). Adam as for all; the original's optimiser is SGD.
"""

from __future__ import annotations

import functools
from collections.abc import Mapping
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from nph_jax import code_bank, errors, losses
from nph_jax.data import pooled
from nph_jax.models import hashing, reconstruction
from nph_jax.models.config import RecurrentConfig, Sizes
from nph_jax.models.method import Entry, without
from nph_jax.models.reconstruction import ReconstructionMethod
from nph_jax.models.ssth import BinaryAutoencoder
from nph_jax.neighborhood import knn_graph

_STRIDE = 2
_PAIR_WEIGHT, _RECONSTRUCTION_WEIGHT = 0.999, 0.001
_QUANTIZATION_WEIGHT = 0.2
_CHUNK = 64  # neighbours of a video that are read at a time


class SSVH(ReconstructionMethod):
  """SSTH in two levels, and the pairs of the neighbour graph."""

  own = code_bank.NAME  # the t last seen

  def fit_tables(
    self, features: pooled.PooledFeatures, key: jax.Array
  ) -> dict[str, np.ndarray]:
    """The neighbour graph: neighbor_starts [N + 1], neighbors [E].

    Holds the mean frames [N, L] in memory while it works.
    """
    del key
    means = np.empty((features.num_videos, features.dim), np.float32)
    row = 0
    for block in features.blocks():
      means[row : row + len(block)] = block
      row += len(block)
    nearest = knn_graph.nearest_by_cosine(means)
    starts, columns = knn_graph.union_graph(nearest)
    return {'neighbor_starts': starts, 'neighbors': columns}

  def init(self, key: jax.Array, tables: Mapping[str, jax.Array]):
    """Parameters; statistics of the normalisation, and the t last seen."""
    params, stats = super().init(key, tables)
    num_videos = len(tables['neighbor_starts']) - 1
    bank = code_bank.init(num_videos, self.num_bits)
    return params, {**stats, code_bank.NAME: bank}

  def table_shapes(self, num_videos: int) -> dict[str, jax.ShapeDtypeStruct]:
    """See fit_tables; of E, which only the data tell, any number."""
    shape = functools.partial(jax.ShapeDtypeStruct, dtype=np.int32)
    return {
      'neighbor_starts': shape((num_videos + 1,)),
      'neighbors': shape((num_videos,)),
    }

  def loss(self, params, collections, batch, tables, key, axis_name):
    """See the module's docstring; arguments as method.Method."""
    del key
    stats = without(collections, code_bank.NAME)
    outputs, stats = self.run(params, stats, batch['frames'], axis_name)
    relaxed = outputs.relaxed_code
    bank = collections[code_bank.NAME]
    bank = code_bank.update(bank, batch['index'], relaxed, axis_name)
    codes = bank['codes']
    binary = jax.lax.stop_gradient(hashing.sign_ste(relaxed))
    terms = {
      **reconstruction.errors(outputs, batch['frames']),
      'pairs': pair_loss(relaxed, batch['index'], codes, tables),
      'quantization': losses.quantization(binary, relaxed),
    }
    loss = sum(self.weights[name] * terms[name] for name in self.weights)
    loss += self._similarity(terms, outputs.forward.shape[1], len(codes))
    return loss, (terms, {**stats, code_bank.NAME: bank})

  def _similarity(
    self, terms: Mapping[str, jax.Array], num_frames: int, num_videos: int
  ) -> jax.Array:
    """The first line of the loss, divided by .001 B M L."""
    weight = _QUANTIZATION_WEIGHT * self.num_bits / num_videos
    per_pair = terms['pairs'] + weight * terms['quantization']
    elements = _RECONSTRUCTION_WEIGHT * num_frames * self.frame_dim
    return _PAIR_WEIGHT * num_videos / elements * per_pair


def pair_loss(
  relaxed: jax.Array,
  index: jax.Array,
  bank: jax.Array,
  tables: Mapping[str, jax.Array],
) -> jax.Array:
  """Mean over i of the batch and all j of (t_i . t_j / K - S_ij)^2.

  Multiplied out, so that neither N x N nor B x N is built: t_j enters by its
  second moments and by its sum over the neighbours of i.

  Args:
    relaxed: t_i, [B, K].
    index: the videos' rows, [B].
    bank: t_j, [N, K], constants.
    tables: see SSVH.fit_tables.
  """
  starts, columns = tables['neighbor_starts'], tables['neighbors']
  scaled = relaxed / relaxed.shape[-1]
  squares = jnp.sum((scaled @ (bank.T @ bank)) * scaled, axis=-1)
  start, end = starts[index], starts[index + 1]
  products = scaled * _sum_of_neighbors(bank, start, end, columns)
  sums = squares - 2 * products.sum(axis=-1) + (end - start)
  return jnp.mean(sums) / len(bank)


def _sum_of_neighbors(
  bank: jax.Array, start: jax.Array, end: jax.Array, columns: jax.Array
) -> jax.Array:
  """Sum of the rows of `bank` that columns[start:end] names, [B, K].

  In as many chunks as the longest list asks for: a hub has some hundred times
  the neighbours of others.
  """

  def add(state):
    offset, total = state
    position = start[:, None] + offset + jnp.arange(_CHUNK)
    rows = columns[jnp.minimum(position, len(columns) - 1)]
    inside = position < end[:, None]
    total += jnp.einsum('bc,bck->bk', inside.astype(bank.dtype), bank[rows])
    return offset + _CHUNK, total

  longest = jnp.max(end - start)
  total = jnp.zeros((len(start), bank.shape[-1]), bank.dtype)
  return jax.lax.while_loop(lambda s: s[0] < longest, add, (0, total))[1]


def build(
  sizes: Sizes, model: RecurrentConfig, options: Mapping[str, Any]
) -> SSVH:
  """SSVH for the registry.

  Raises:
    UserError: videos of one frame.
  """
  del options
  if sizes.num_frames < _STRIDE:
    raise errors.UserError(
      f'config.data.num_frames is {sizes.num_frames}; the method ssvh reads '
      'pairs of frames and needs 2 or more.'
    )
  module = BinaryAutoencoder(*sizes, model, stride=_STRIDE)
  return SSVH(module, {'reverse': 1 / 3, 'forward': 1 / 3, 'mean': 1 / 3})


ENTRY = Entry('SSVH', build)
