"""`nph-jax` with toys for networks; its processes start from this file too.

With STARTER set, files are those of library_toy; with KILLED_AT, see there.
"""

import os

import library_toy
import numpy as np

from nph_jax import __main__
from nph_jax.extraction import backbones, vgg16


class Averages(vgg16.VGG16):
  """The mean colours of a 4 x 4 grid; `weights` not read."""

  name = 'averages'
  feature_dim = 48
  precisions = ('float32',)

  def __init__(self, weights, precision):
    self.precision = precision

  def features(self, batch):
    cells = batch.reshape(len(batch), 4, 56, 4, 56, 3).mean((2, 4))
    return cells.reshape(len(batch), -1).astype(np.float32) / 255


backbones.BACKBONES['averages'] = Averages

if __name__ == '__main__':
  if 'STARTER' in os.environ:
    for owner, name, value in library_toy.patches(os.environ['STARTER']):
      setattr(owner, name, value)
  if 'KILLED_AT' in os.environ:
    library_toy.kill_after(os.environ['KILLED_AT'])
  __main__.main()
