"""A deep method begun at a closed form's code, whatever its losses are.

Beyond the paper. t is the sum of three: the start's linear map of the pooled
video, scaled to values of mean square one and fixed; what is learned to add to
that map; and the method's own t. The last two are zero at first, so that the
first code is the start's, and training has to earn what it changes. The loss
has one more term,

  P / N mean |t - t_0|^2 / K

t_0 the fixed part, N the training videos: a Gaussian prior around the start,
worth P videos. Where videos are few it holds the code near its start, where
they are many it counts for little.

The method is wrapped from outside: its hash layer finds what is to be added in
the collection `hashing.START`, and leaves the sum there for the prior.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from nph_jax.data.pooled import PooledFeatures
from nph_jax.models import hashing
from nph_jax.models.linear_code import LinearCode
from nph_jax.models.method import Method, float_tables, without

# Of every deep method: a closed form's name, '' for none, and P.
OPTIONS = {'start': '', 'start_videos': 0.0}
_PREFIX = 'start_'  # of the start's tables among the method's
_COUNT = 'num_videos'  # N, one of them


@dataclasses.dataclass(frozen=True)
class BegunMethod:
  """`method` begun at the code of `start`; see method.Method.

  Attributes:
    method: a deep one, whose t goes through `hashing.begun` in a layer called
      hash_layer.
    start: the closed form.
    start_videos: P.
  """

  method: Method
  start: LinearCode
  start_videos: float = 0.0

  is_closed_form = False

  def __getattr__(self, name: str) -> Any:
    """What the start changes nothing of: sizes and neighbourhood."""
    if name.startswith('__'):
      raise AttributeError(name)
    return getattr(self.method, name)

  def fit_tables(
    self, features: PooledFeatures, key: jax.Array
  ) -> dict[str, np.ndarray]:
    """The method's tables, and the start's, its projection scaled."""
    fitted = self.start.fit_tables(features, key)
    code = jax.jit(self.start.relaxed_code)
    squares = [
      np.square(code(fitted, frames.astype(np.float32), None)).sum()
      for frames in features.read_frames()
    ]
    scale = np.sqrt(features.num_videos * self.num_bits / sum(squares))
    for name in ('projection', 'threshold'):
      fitted[name] = np.asarray(scale * fitted[name], np.float32)
    fitted[_COUNT] = np.float32(features.num_videos)
    tables = {_PREFIX + name: value for name, value in fitted.items()}
    return {**self.method.fit_tables(features, key), **tables}

  def table_shapes(self, num_videos: int) -> dict[str, jax.ShapeDtypeStruct]:
    """See fit_tables."""
    start = self.start.table_shapes(num_videos) | float_tables(**{_COUNT: ()})
    tables = {_PREFIX + name: value for name, value in start.items()}
    return {**self.method.table_shapes(num_videos), **tables}

  def init(self, key: jax.Array, tables: Mapping[str, jax.Array]):
    """The method's parameters with a silent t, and the learned map at zero."""
    params, collections = self.method.init(key, tables)
    shape = (self.start.pooled_width, self.num_bits)
    learned = {'kernel': jnp.zeros(shape), 'bias': jnp.zeros(self.num_bits)}
    if 'hash_layer' in params:
      silent = jax.tree.map(jnp.zeros_like, params['hash_layer'])
      params = {**params, 'hash_layer': silent}
    else:  # t is a recurrent state, which only a gain can silence
      learned['gain'] = jnp.zeros(self.num_bits)
    fixed = {name: tables[_PREFIX + name] for name in self.start.NAMES}
    return {**params, hashing.START: learned}, {
      **collections,
      hashing.START: fixed,
    }

  def loss(self, params, collections, batch, tables, key, axis_name):
    """The method's loss and the prior; arguments as method.Method."""
    fixed = collections[hashing.START]
    first, *own = self._own(params, collections, batch['frames'])
    loss, (terms, found) = self.method.loss(*own, batch, tables, key, axis_name)
    relaxed = found[hashing.START]['hash_layer']['relaxed_code']
    change = jnp.mean(jnp.square(relaxed - hashing.like(relaxed, first)))
    loss += self.start_videos / tables[_PREFIX + _COUNT] * change
    terms = {**terms, 'change': change}
    return loss, (terms, {**found, hashing.START: fixed})

  def survey(self, params, collections, batch, key) -> jax.Array:
    """The method's, as its t stands now; arguments as method.Method."""
    _, *own = self._own(params, collections, batch['frames'])
    return self.method.survey(*own, batch, key)

  def begin_epoch(self, collections, epoch, survey, key):
    """The method's; the start's tables stay."""
    own = without(collections, hashing.START)
    begun = self.method.begin_epoch(own, epoch, survey, key)
    return {**begun, hashing.START: collections[hashing.START]}

  def _own(self, params, collections, frames):
    """t_0, and the method's parameters and collections, its t begun."""
    fixed, learned = collections[hashing.START], params[hashing.START]
    first, start = self._begin(fixed, learned, frames)
    own = without(params, hashing.START), without(collections, hashing.START)
    return first, own[0], {**own[1], **start}

  def _begin(self, fixed, learned, frames):
    """t_0 [B, K], and the collection that begins the hash layer's t."""
    features = self.start.features(fixed, frames)
    first = features @ fixed['projection'] - fixed['threshold']
    offset = first + features @ learned['kernel'] + learned['bias']
    begun = {
      'offset': offset,
      'gain': learned.get('gain', jnp.ones(self.num_bits)),
    }
    return first, {hashing.START: {'hash_layer': begun}}

  def inference_variables(self, params, collections) -> dict[str, Any]:
    """The method's own, the learned map and the start's tables."""
    own = self.method.inference_variables(
      without(params, hashing.START), without(collections, hashing.START)
    )
    return {
      'method': own,
      'fixed': collections[hashing.START],
      'learned': params[hashing.START],
    }

  def relaxed_code(self, variables, frames, nearest) -> jax.Array:
    """t [B, K] of frames [B, M, L]; nearest anchors [B, A, D] or None."""
    _, start = self._begin(variables['fixed'], variables['learned'], frames)
    own = {**variables['method'], **start}
    return self.method.relaxed_code(own, frames, nearest)
