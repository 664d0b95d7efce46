"""What precedes training: y, anchors, nearest anchors, and the graph's degrees.

Growth is measured on small frames, the work on y alone at YFCC's size.
"""

from __future__ import annotations

import pathlib
import tempfile
from typing import Any

import numpy as np

from benchmarks import fresh, measuring, sizes, videos

COUNTS = (2_500, 5_000, 10_000)
SIZE = sizes.Size(128, 25, 512, 64)
_QUICK_COUNTS = (2_000, 2_200)
YFCC_VIDEOS, FEWER_VIDEOS = 410_000, 100_000
_KMEANS_SECONDS = 240
_ITERATIONS = 10  # section 4.1
_BLOCK = 256
PHASES = ('records', 'features', 'anchors', 'nearest', 'graph')


def run(quick: bool) -> dict[str, Any]:
  """Seconds of each phase by the number of videos, memory and growth."""
  counts = _QUICK_COUNTS if quick else COUNTS
  size = sizes.QUICK_SIZES['quick'] if quick else SIZE
  results = [_measure(number, size) for number in counts]
  seconds = {phase: [result[phase] for result in results] for phase in PHASES}
  return {
    'size': size._asdict(),
    'num_anchors': sizes.NUM_ANCHORS,
    'num_videos': list(counts),
    'seconds': seconds,
    'slope': {
      phase: measuring.slope(counts, values)
      for phase, values in seconds.items()
    },
    'peak_bytes': [result['peak_bytes'] for result in results],
    'kmeans': _large_kmeans(2_500 if quick else YFCC_VIDEOS),
  }


def _measure(num_videos: int, size: sizes.Size) -> dict[str, Any]:
  with tempfile.TemporaryDirectory() as folder:
    files = videos.sources(pathlib.Path(folder), num_videos, size)
    return fresh.call(
      'benchmarks.preprocess:prepare', size=size, folder=folder, files=files
    )


def prepare(
  size: list[int], folder: str, files: dict[str, dict[str, str]]
) -> dict[str, Any]:
  """Seconds of each phase."""
  import h5py

  from nph_jax import allocator
  from nph_jax.neighborhood import anchor_graph, anchors, side_files

  allocator.keep_freed_memory()
  taken, path = {}, pathlib.Path(folder) / 'latent_feats.h5'
  taken['records'], dataset = measuring.timed(
    lambda: videos.build(pathlib.Path(folder), files)
  )
  split = dataset.split('train')
  blocks = _features(sizes.Size(*size), split)
  taken['features'] = measuring.seconds(
    lambda: side_files.write_latent_features(path, blocks, split.num_videos)
  )
  with h5py.File(path) as file:
    y = file['feats']
    taken['anchors'], centres = measuring.timed(lambda: _anchors(y))
    taken['nearest'], indices = measuring.timed(
      lambda: anchors.nearest_anchors(y, centres, sizes.NUM_NEAREST)
    )
  taken['graph'] = measuring.seconds(
    lambda: anchor_graph.graph_statistics(indices, sizes.NUM_ANCHORS)
  )
  return taken


def _features(size: sizes.Size, split: Any):
  """y of a split by an untrained autoencoder, as `stages.prepare` has it."""
  import jax
  import jax.numpy as jnp

  from nph_jax.data import input_pipeline
  from nph_jax.models.autoencoder import Autoencoder, AutoencoderMethod

  module = Autoencoder(sizes.WIDTH, size.num_frames, size.frame_dim)
  params, _ = jax.jit(AutoencoderMethod(module).init)(jax.random.key(0), {})

  @jax.jit
  def features(params, frames):
    frames = frames.astype(jnp.float32)
    return module.apply({'params': params}, frames, method=module.features)

  for block in input_pipeline.evaluation_blocks(split, _BLOCK):
    number = len(block['frames'])
    # Of one shape, which is one program.
    frames = np.pad(block['frames'], ((0, _BLOCK - number), (0, 0), (0, 0)))
    yield np.asarray(features(params, frames))[:number]


def _anchors(y: Any) -> np.ndarray:
  """The paper's K-means of y [N, D], an open file's."""
  from nph_jax.neighborhood import anchors

  return anchors.fit_anchors(
    y, sizes.NUM_ANCHORS, num_iterations=_ITERATIONS, seed=0
  )


def _large_kmeans(num_videos: int) -> dict[str, Any]:
  """K-means on as many y as there is time for; in proportion for the rest."""
  for number in (num_videos, FEWER_VIDEOS):
    result = fresh.call(
      'benchmarks.preprocess:kmeans',
      num_videos=number,
      timeout=_KMEANS_SECONDS,
    )
    if result is not None:
      scale = num_videos / number
      return {
        **result,
        'wanted': num_videos,
        'in_all': scale * result['seconds'],
      }
  return {'wanted': num_videos, 'num_videos': None}


def kmeans(num_videos: int) -> dict[str, Any]:
  """Seconds of K-means on y [N, D] in a file."""
  import h5py

  from nph_jax.neighborhood import side_files

  rng = np.random.default_rng(0)
  blocks = (
    rng.standard_normal((min(10_000, num_videos - start), sizes.WIDTH), 'f4')
    for start in range(0, num_videos, 10_000)
  )
  with tempfile.TemporaryDirectory() as folder:
    path = pathlib.Path(folder) / 'latent_feats.h5'
    side_files.write_latent_features(path, blocks, num_videos)
    with h5py.File(path) as file:
      taken = measuring.seconds(lambda: _anchors(file['feats']))
  return {'num_videos': num_videos, 'seconds': taken}
