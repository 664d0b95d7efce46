"""Everything that the service is made of, opened in order and closed again."""

from __future__ import annotations

import contextlib
import dataclasses
import os
import pathlib
import tempfile
from collections.abc import Callable, Iterator
from typing import Any

import fastapi
import numpy as np

from nph_jax import compilation, errors
from nph_jax.export import hasher as hasher_lib
from nph_jax.index import video_index
from nph_jax.service import app as app_lib
from nph_jax.service import (
  cache,
  decoder_tasks,
  decoders,
  library,
  limits,
  made,
  transcoding,
  uploads,
)
from nph_jax.service import metrics as metrics_lib
from nph_jax.service import service as service_lib

_NO_BACKBONE = (
  'This service searches by ids and frame features only: {}; start it with '
  '--backbone to search by videos too.'
)


@contextlib.contextmanager
def service(setup: limits.Setup) -> Iterator[tuple[fastapi.FastAPI, str]]:
  """Yields the application, and a sentence that says what it serves.

  Raises:
    UserError: index, bundle, videos or backbone are missing, damaged or do
      not belong together.
  """
  with contextlib.ExitStack() as stack:
    compilation.set_up()
    hasher = hasher_lib.load_hasher(setup.bundle)
    index = stack.enter_context(
      video_index.VideoIndex.open(setup.index, read_only=setup.read_only)
    )
    index.check_bundle(hasher.digest, hasher.num_bits)
    videos = library.Library(
      setup.videos, setup.index / 'videos', setup.follow_links
    )
    if not setup.read_only:
      library.recover(videos, index)
    metrics = metrics_lib.Metrics()

    def pool(
      load: Callable[..., Any],
      arguments: tuple[Any, ...] = (),
      number: int = 1,
      offline: bool = True,
      seconds: float | None = None,
    ) -> decoders.Pool:
      """Those with `seconds` of their own are started when they are wanted."""
      bounds = dataclasses.replace(
        setup.bounds, decode_seconds=seconds or setup.bounds.decode_seconds
      )
      count = lambda why: metrics.replaced.labels(why).inc()  # noqa: E731
      ready = [
        decoders.Decoder(load, arguments, bounds, count, offline)
        for _ in range(number)
      ]
      return stack.enter_context(decoders.Pool(ready, lazy=bool(seconds)))

    extractor, why_not = _extractor(setup, hasher, index, pool)
    _warm_up(hasher)
    ready = service_lib.Service(
      index,
      hasher,
      setup,
      videos,
      _maker(setup, pool, stack),
      extractor,
      why_not,
      metrics.batch_sizes,
    )
    how = f'videos by {extractor.backbone}' if extractor else why_not
    words = f'{len(index):,} videos, {index.num_bits} bits, {index.engine}; '
    yield app_lib.create(ready, setup, metrics), words + how


def _extractor(
  setup: limits.Setup,
  hasher: hasher_lib.Hasher,
  index: Any,
  pool: Callable[..., decoders.Pool],
) -> tuple[uploads.Extractor | None, str]:
  """What makes features of uploads, and else why there is none."""
  backbone = setup.backbone
  if backbone is None:
    backbone = next((x.get('backbone') for _, x in index.items(limit=1)), None)
  if not isinstance(backbone, str):
    return None, _NO_BACKBONE.format('the index names no backbone')
  shape = hasher.num_frames, hasher.feature_dim
  # Whose weights do not come as a package, it may have to fetch.
  offline = setup.weights is not None or backbone != 'vgg16'
  arguments = backbone, setup.weights, shape
  try:
    ready = pool(decoder_tasks.load, arguments, setup.bounds.decoders, offline)
  except errors.UserError as error:
    if setup.backbone is not None:
      raise
    return None, _NO_BACKBONE.format(str(error).rstrip('.'))
  return uploads.Extractor(ready, backbone, shape, setup.bounds), ''


def _maker(
  setup: limits.Setup,
  pool: Callable[..., decoders.Pool],
  stack: contextlib.ExitStack,
) -> made.Maker:
  """Of nothing without the packages for video."""
  viewer = converter = None
  with contextlib.suppress(errors.UserError):
    viewer = pool(decoder_tasks.load)
    if transcoding.is_possible():
      seconds = setup.bounds.convert_seconds
      converter = pool(decoder_tasks.load_transcoder, seconds=seconds)
  return made.Maker(viewer, converter, _cache(setup, stack), setup.bounds)


def _cache(setup: limits.Setup, stack: contextlib.ExitStack) -> cache.Cache:
  """Of the user; of this process alone where that cannot be written."""
  folder = setup.cache or compilation.cache_folder() / 'videos'
  with contextlib.suppress(OSError):
    kept = cache.Cache(folder, setup.bounds.cache_bytes)
    if os.access(folder, os.W_OK):
      return kept
  folder = pathlib.Path(stack.enter_context(tempfile.TemporaryDirectory()))
  return cache.Cache(folder, setup.bounds.cache_bytes)


def _warm_up(hasher: hasher_lib.Hasher) -> None:
  """Compiles now what the first query would wait for."""
  empty = np.zeros((1, hasher.num_frames, hasher.feature_dim), np.float16)
  hasher.encode_query(empty)
  hasher.encode_relaxed(empty)
