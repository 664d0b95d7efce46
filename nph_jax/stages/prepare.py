"""Stage 1: data set, y, anchors, nearest anchors."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator

import h5py
import jax
import jax.numpy as jnp
import numpy as np

from nph_jax import configuration, distributed, rng
from nph_jax.data import pooled
from nph_jax.neighborhood import anchor_graph, anchors, side_files
from nph_jax.stages import tables
from nph_jax.stages.fitting import fit, initial_state, save_closed_form
from nph_jax.stages.job import Job
from nph_jax.train_state import TrainState

_BLOCK_SIZE = 256


def run(job: Job) -> None:
  """Builds the data set and the neighbourhood, unless both are there.

  A method that needs no neighbourhood gets none.
  """
  if distributed.is_primary():
    _ = job.dataset
  distributed.barrier('data set built')
  if not job.method.needs_neighborhood:
    return
  if tables.neighborhood_stamp(job) is not None:
    return
  refined = job.refined
  params = refined.params if refined else _trained_features(job).params
  if distributed.is_primary():
    _write_neighborhood(job, params)
  distributed.barrier('neighbourhood written')


def _trained_features(job: Job) -> TrainState:
  """What yields y where no earlier run does: trained, or fitted."""
  folder = tables.feature_folder(job)
  method, run = job.feature_method, job.feature_run
  what = (job, run, method, job.feature_optimizer)
  if not method.is_closed_form:
    return fit(*what, {}, folder)
  features = pooled.of_split(job.dataset.split('train'))
  key = rng.stream(job.config.seed, f'{run.name} tables')
  state = initial_state(*what, method.fit_tables(features, key))
  save_closed_form(job, state, folder)
  return jax.device_get(state)


def _write_neighborhood(job: Job, params: dict) -> None:
  folder, config = tables.neighborhood_folder(job), job.config.neighborhood
  side_files.write_latent_features(
    folder / 'latent_feats.h5', _features(job, params), job.num_train
  )
  with h5py.File(folder / 'latent_feats.h5') as file:
    y = file['feats']
    num_anchors, num_nearest = anchor_setting(y, config, job.config.seed)
    seed = rng.subseed(job.config.seed, 'kmeans')
    centres = anchors.fit_anchors(
      y, num_anchors, num_iterations=config.kmeans_iterations, seed=seed
    )
    indices = anchors.nearest_anchors(y, centres, num_nearest)
  side_files.write_anchors(folder / 'anchors.h5', centres)
  side_files.write_anchor_indices(folder / 'train_assit.h5', indices)
  graph = anchor_graph.graph_statistics(indices, num_anchors)
  stamp = {
    'num_anchors': num_anchors,
    'num_nearest': num_nearest,
    **dataclasses.asdict(graph),
  }
  tables.set_neighborhood_stamp(job, stamp)


def _features(job: Job, params: dict) -> Iterator[np.ndarray]:
  """y of the training videos in blocks, in file order."""
  from nph_jax.data import input_pipeline  # tensorflow takes seconds

  module = job.y_module

  @jax.jit
  @jax.default_matmul_precision('highest')  # as an exported hasher has them
  def features(params, frames):
    frames = frames.astype(jnp.float32)
    return module.apply({'params': params}, frames, method=module.features)

  split = job.dataset.split('train')
  for block in input_pipeline.evaluation_blocks(split, _BLOCK_SIZE):
    number = len(block['frames'])
    # Of one shape, which is one program.
    frames = np.pad(
      block['frames'], ((0, _BLOCK_SIZE - number), (0, 0), (0, 0))
    )
    yield np.asarray(features(params, frames))[:number]


def anchor_setting(
  y: np.ndarray, config: configuration.ConfigDict, seed: int
) -> tuple[int, int]:
  """n and a: as set, the paper's for large sets, else by the density of S.

  Args:
    y: [N, D].
    config: the section `neighborhood`.
    seed: of the configuration.
  """
  paper = len(y) >= config.paper_setting_from
  num_nearest = config.num_nearest or (3 if paper else 1)
  if config.num_anchors or paper:
    return config.num_anchors or 2000, num_nearest
  num_anchors, _ = anchors.choose_num_anchors(
    y,
    num_nearest=num_nearest,
    target_density=config.target_density,
    num_iterations=config.kmeans_iterations,
    seed=rng.subseed(seed, 'kmeans'),
  )
  return num_anchors, num_nearest
