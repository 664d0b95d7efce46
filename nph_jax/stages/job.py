"""What the stages share: the configuration as the data have settled it."""

from __future__ import annotations

import dataclasses
import functools
from typing import Any

from flax import linen as nn

from nph_jax import configuration, errors, train, train_state
from nph_jax.data import sources
from nph_jax.models import method, registry
from nph_jax.models.autoencoder import Autoencoder, AutoencoderMethod
from nph_jax.models.untrained_features import (
  UntrainedFeatures,
  UntrainedFeaturesMethod,
)
from nph_jax.stages import refinement, tracing
from nph_jax.workdir import Workdir


@dataclasses.dataclass(frozen=True)
class Job:
  """One configuration in one folder, over checked sources.

  Attributes:
    config: as given.
    workdir: its folder.
    spec: the sources.
    shape: what they hold.
    bundles: those of `bundling`, by step.
  """

  config: configuration.ConfigDict
  workdir: Workdir
  spec: sources.DataSpec
  shape: sources.DataShape
  bundles: dict[int, Any] = dataclasses.field(default_factory=dict)

  @functools.cached_property
  def dataset(self) -> Any:
    """The built data set; the first use builds it if need be."""
    from nph_jax.data import video_features  # tensorflow takes seconds

    folder = self.config.data.dir or self.workdir.data
    dataset = video_features.build(self.spec, folder, self.shape)
    refined = self.refined.digest if self.refined else ''
    self.workdir.check_data_key(dataset.key, refined)
    # Only now: a folder whose data turned out bad stays open to another try.
    self.workdir.write_config(self.config)
    return dataset

  @property
  def num_train(self) -> int:
    """The number of training videos."""
    return self.shape.num_videos['train']

  @property
  def frames_bytes(self) -> int:
    """Of the training frames, in float16 as stored."""
    return 2 * self.num_train * self.shape.num_frames * self.shape.feature_dim

  @property
  def batch_size(self) -> int:
    """The global batch of training."""
    return self.config.train.batch_size or configuration.automatic_batch_size(
      self.num_train
    )

  @property
  def feature_batch_size(self) -> int:
    """The global batch of what yields y; by default that of training."""
    return self.config.neighborhood.batch_size or self.batch_size

  @property
  def run(self) -> train.Run:
    """The training of the hashing method, 0 steps for a closed form."""
    run = self._run(self.config.method, self.config.train, self.batch_size)
    if self.method.is_closed_form:
      return dataclasses.replace(run, num_steps=0)
    return run

  @property
  def feature_run(self) -> train.Run:
    """The training of what yields y, named by config.neighborhood.features."""
    section = self.config.neighborhood
    return self._run(section.features, section, self.feature_batch_size)

  def _run(self, name: str, section: Any, batch_size: int) -> train.Run:
    per_epoch = self.num_train // batch_size
    return train.Run(
      name=name,
      seed=self.config.seed,
      num_steps=configuration.num_steps(section, per_epoch),
      batch_size=batch_size,
      steps_per_epoch=per_epoch,
      checkpoint_every=self.config.checkpoint.every_steps,
      log_every=self.config.logging.every_steps,
    )

  @functools.cached_property
  def refined(self) -> refinement.HasherFeatures | None:
    """The earlier run whose t is y; None without one, or without need."""
    run = self.config.neighborhood.run
    if not (run and self.method.needs_neighborhood):
      return None
    sizes = self.shape.num_frames, self.shape.feature_dim
    return refinement.features_of(run, *sizes)

  @property
  def y_module(self) -> nn.Module:
    """What yields y, by its method `features`."""
    return self.refined or self.feature_method.module

  @property
  def feature_method(self) -> AutoencoderMethod | UntrainedFeaturesMethod:
    """What is trained or fitted to yield y, where no earlier run does."""
    section = self.config.neighborhood
    num_frames, frame_dim = self.shape.num_frames, self.shape.feature_dim
    if section.features != 'autoencoder':
      width = min(section.width, frame_dim)
      kind = section.features
      return UntrainedFeaturesMethod(
        UntrainedFeatures(kind, width, num_frames, frame_dim)
      )
    return AutoencoderMethod(
      Autoencoder(
        width=section.width,
        num_frames=num_frames,
        frame_dim=frame_dim,
        reverse=section.reverse,
        copy_cell=section.copy_cell,
        forget_bias=self.config.model.forget_bias,
        recurrent_init=self.config.model.recurrent_init,
        literal=self.config.model.literal,
        precision=self.config.model.precision,
      )
    )

  @functools.cached_property
  def method(self) -> method.Method:
    """The configured hashing method, for the shapes of the data."""
    return registry.build(
      self.config.method,
      num_bits=self.config.num_bits,
      num_frames=self.shape.num_frames,
      frame_dim=self.shape.feature_dim,
      model=self.config.model.to_dict(),
      options=self.config.method_options.to_dict(),
    )

  @property
  def optimizer(self):
    """Of the hashing method."""
    section, run = self.config.train, self.run
    rate = section.learning_rate
    if section.cosine:
      rate = train_state.cosine(
        rate, section.decay_floor, run.num_steps, run.steps_per_epoch
      )
    return train_state.adam(
      rate,
      section.beta1,
      section.decay_rate,
      section.decay_steps or section.decay_epochs * run.steps_per_epoch,
      section.decay_floor,
      section.weight_decay,
    )

  @property
  def feature_optimizer(self):
    """Of what yields y."""
    return train_state.adam(
      self.config.neighborhood.learning_rate, self.config.train.beta1
    )


def open_job(config: configuration.ConfigDict, workdir: str) -> Job:
  """Checks folder, sources and sizes.

  Raises:
    UserError: anything that would stop a stage later on.
  """
  folder = Workdir(workdir)
  folder.check_config(config)
  spec = sources.DataSpec.from_config(config.data.to_dict(), config.seed)
  job = Job(config, folder, spec, sources.check(spec))
  if not job.method.is_closed_form:
    train.check_batch_size(
      job.batch_size, job.num_train, 'config.train.batch_size'
    )
  if job.method.needs_neighborhood:
    train.check_batch_size(
      job.feature_batch_size,
      job.num_train,
      'config.neighborhood.batch_size',
    )
    _check_anchors(config.neighborhood, job.num_train)
    _ = job.refined  # read now: it may be missing, or of other frames
  if not folder.checkpoints.exists():
    tracing.check(job.method, job.batch_size, job.num_train)
  return job


def _check_anchors(section: Any, num_train: int) -> None:
  if section.num_anchors > num_train:
    raise errors.UserError(
      f'config.neighborhood.num_anchors is {section.num_anchors}, but there '
      f'are only {num_train} training videos; set it to {num_train} or less, '
      'or to 0 to let it follow the data.'
    )
  if section.num_anchors and section.num_nearest > section.num_anchors:
    raise errors.UserError(
      f'config.neighborhood.num_nearest is {section.num_nearest}, but there '
      f'are only {section.num_anchors} anchors.'
    )
