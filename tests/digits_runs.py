"""Small runs of the job on moving digits, and what their codes have to beat."""

import dataclasses

import numpy as np

from nph_jax import configuration
from nph_jax.data import moving_digits
from nph_jax.retrieval import evaluation

NUM_BITS = 16


@dataclasses.dataclass(frozen=True)
class Digits:
  """Videos of a size and a seed: how many of each split."""

  videos: dict
  seed: int
  num_frames: int
  canvas: int

  def config(self, method, data_dir, num_bits=NUM_BITS, **values):
    """A checked configuration; `values` are of its section `train`."""
    config = configuration.base(f'{method},bits={num_bits}')
    config.seed = self.seed
    config.data.name, config.data.dir = 'moving_digits', str(data_dir)
    config.data.num_frames, config.data.canvas = self.num_frames, self.canvas
    config.data.num_labels = 10
    for split, count in self.videos.items():
      config.data[split].num_videos = count
    config.train.num_epochs = 0
    config.train.update(values)
    configuration.check(config)
    return config

  def split(self, name):
    """Frames and labels."""
    return moving_digits.make_videos(
      name,
      0,
      self.videos[name],
      seed=self.seed,
      num_frames=self.num_frames,
      canvas=self.canvas,
    )

  def chance(self, draws=1):
    """mAP@20 of random codes, the mean of so many draws of them."""
    rng = np.random.default_rng(0)
    shapes = [(self.videos[s], NUM_BITS // 8) for s in ('query', 'database')]
    codes = (
      [rng.integers(0, 256, shape).astype(np.uint8) for shape in shapes]
      for _ in range(draws)
    )
    return np.mean(self.maps_of(codes))

  def maps_of(self, pairs):
    """mAP@20 of each pair of codes, the query's and the database's."""
    labels, of_database = (self.split(s)[1] for s in ('query', 'database'))
    results = (
      evaluation.evaluate_codes(query, labels, database, of_database, ks=(20,))
      for query, database in pairs
    )
    return [map_at_20(result.map) for result in results]


def map_at_20(rows):
  """Of an evaluation's rows, AP over min(R, K), ties as expected, with self."""
  protocol = 20, 'hamming', 'min_rk', 'expected', False
  names = 'k', 'ranking', 'denominator', 'ties', 'exclude_self'
  (value,) = (
    row['value'] for row in rows if tuple(row[n] for n in names) == protocol
  )
  return value
