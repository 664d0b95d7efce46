"""`python -m nph_jax.extract` with a small network in the place of its own.

Workers start from this file too, and decode and crop as they always do. With
HANGS_AT=PATH,NUMBER it does not go on once that store holds so many videos.
"""

import os
import sys
import time

import numpy as np
import progress

from nph_jax import errors, extract
from nph_jax.extraction import backbones, vgg16

STORE, _, NUMBER = os.environ.get('HANGS_AT', '').partition(',')


class Averages(vgg16.VGG16):
  """The mean colours of a 4 x 4 grid; `weights` not read."""

  feature_dim = 48
  precisions = ('float32',)

  def __init__(self, weights, precision):
    self.precision = precision

  def features(self, batch):
    if STORE and progress.count(STORE) >= int(NUMBER):
      time.sleep(3600)
    cells = batch.reshape(len(batch), 4, 56, 4, 56, 3).mean((2, 4))
    return cells.reshape(len(batch), -1).astype(np.float32) / 255


backbones.BACKBONES[backbones.DEFAULT] = Averages

if __name__ == '__main__':
  errors.run_main(lambda: extract.main(sys.argv[1:]))
